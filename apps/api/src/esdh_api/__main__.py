"""`python -m esdh_api` starts the server."""

from esdh_api.command import main

main()
