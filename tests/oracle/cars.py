"""VINs and licence numbers, which a plan takes with `uses: [esdh-plan]`: as contract.md, section 2, has them."""

from oracles import vin_check_digit

# 49 CFR 565: no I, O and Q; the codes of model years begin again after thirty of them.
CHARACTERS = "0123456789ABCDEFGHJKLMNPRSTUVWXYZ"
YEARS = "ABCDEFGHJKLMNPRSTVWXY123456789"
CAPACITIES = {"vin": 33**4 * 100_000, "license_number": 10**11}


def vin(number: int, make: str, model: str, body: str, year: int) -> str:
    """Return the VIN that holds a permuted slot: the remainder by 100,000 in 13 to 17, then base 33 in 12, 11, 8, 6."""
    letters, digits = divmod(number, 100_000)
    held = []
    for _ in range(4):
        letters, last = divmod(letters, 33)
        held.append(CHARACTERS[last])
    twelve, eleven, eight, six = held
    seven = body if year < 2010 else "ABCDEFGH"[int(body) - 1]
    text = f"0{make}{model}{six}{seven}{eight}-{YEARS[(year - 1980) % 30]}{eleven}{twelve}{digits:05}"
    return text.replace("-", vin_check_digit(text.replace("-", "0")))


def license_number(number: int, state: str) -> str:
    """Return the licence number that holds a permuted slot: the state's letters, and eleven digits."""
    return f"{state}{number:011}"
