"""What must be known of the default dataset before it is made: names for help texts, without NumPy."""

from typing import Final

__all__ = ["EXAMPLE_IDS", "PURPOSE", "SUMMARY", "TABLES", "VERSION"]

VERSION: Final = "v0.1"
TABLES: Final = {"persons": "person", "vehicles": "vehicle", "profiles": "profile"}
"""Each table's name, and what a row of it is called."""
SUMMARY: Final = "persons, vehicles and profiles"
PURPOSE: Final = "insurance QA"
EXAMPLE_IDS: Final = (
    "7325de0f-b0c4-806c-8636-3e3a1bdbceb4",
    "7b847f8b-0bf6-8164-86ee-1e9155a80ffc",
    "d4ab67fe-6799-8d2d-99be-841b118c6dc9",
)
