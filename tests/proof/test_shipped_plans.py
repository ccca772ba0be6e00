"""Snapshots of the plans that ship: verified, without orphans, and the insurer's book by rules stated again in SQL."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from esdh_export import SnapshotRequest, write_snapshot
from esdh_plan import load_plan, plans
from esdh_proof import verify_snapshot

TREES = 20_000
VIN_WEIGHTS = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)

# Each query gives the rows that break the rule. `today` is a macro, and `whole_years(born, day)`.
RULES = {
    # policyholders
    "an individual has a name and a birth date, a business neither": """
        FROM policyholders WHERE (kind = 'individual') <> (first_name IS NOT NULL AND last_name IS NOT NULL
        AND birth_date IS NOT NULL AND tenure IS NOT NULL) OR (kind = 'business') <> (business_name IS NOT NULL)""",
    "a policyholder is 20 to 90 years old": """
        FROM policyholders WHERE birth_date NOT BETWEEN today() - INTERVAL 90 YEAR AND today() - INTERVAL 20 YEAR""",
    "an age group is that of the age": """
        FROM (SELECT *, whole_years(birth_date, today()) AS age FROM policyholders WHERE kind = 'individual')
        WHERE age_group <> CASE WHEN age < 25 THEN '18-24' WHEN age < 45 THEN '25-44' WHEN age < 60 THEN '45-59'
        WHEN age < 75 THEN '60-74' ELSE '75+' END OR age < 18""",
    "an e-mail address is in a domain that RFC 2606 keeps, and nobody else's": """
        FROM policyholders WHERE NOT regexp_full_match(email, '[a-z]+[.][0-9]{10}@example[.]com')
        UNION ALL FROM policyholders QUALIFY count(*) OVER (PARTITION BY email) > 1""",
    "a phone number is kept for fiction": """
        FROM policyholders WHERE NOT regexp_full_match(phone, '[2-9][0-9]{2}-555-01[0-9]{2}')""",
    "an area code is of the state": """
        FROM policyholders p WHERE NOT EXISTS (FROM area_codes a WHERE a.state = p.state AND a.area_code = p.phone[:3])""",
    "city, state and ZIP belong together": """
        FROM policyholders p WHERE NOT EXISTS (FROM places z WHERE z.zip = p.zip AND z.state = p.state AND z.city = p.city)
        UNION ALL BY NAME SELECT zip FROM dwellings d
        WHERE NOT EXISTS (FROM places z WHERE z.zip = d.zip AND z.state = d.state AND z.city = d.city)""",
    "a policyholder was of age when the relation began": """
        FROM policyholders WHERE customer_since < birth_date + INTERVAL 18 YEAR OR customer_since >= today()""",
    "a policyholder holds 1 to 4 policies, as many as it says": """
        FROM policyholders h WHERE policy_count NOT BETWEEN 1 AND 4
        OR policy_count <> (SELECT count(*) FROM policies p WHERE p.policyholder_id = h.policyholder_id)""",
    # policies
    "a line fits its holder": """
        FROM policies JOIN policyholders USING (policyholder_id) WHERE kind = 'business' AND line NOT IN ('auto', 'umbrella')
        OR tenure = 'renter' AND line = 'home' OR tenure = 'owner' AND line = 'renters'""",
    "an umbrella is above an auto policy, and there is one": """
        SELECT policyholder_id FROM policies GROUP BY 1 HAVING count(*) FILTER (line = 'umbrella') > 1
        OR count(*) FILTER (line = 'umbrella') = 1 AND count(*) FILTER (line = 'auto') = 0""",
    "a person has one auto policy, one renters policy and at most one primary home": """
        SELECT policyholder_id FROM policies JOIN policyholders USING (policyholder_id) WHERE kind = 'individual' GROUP BY 1
        HAVING count(*) FILTER (line = 'auto') > 1 OR count(*) FILTER (line = 'renters') > 1
        OR count(*) FILTER (residence = 'primary') > 1
        OR count(*) FILTER (residence = 'secondary') > count(*) FILTER (residence = 'primary')""",
    "a term is 6 or 12 months from its first day": """
        FROM policies WHERE term_months NOT IN (6, 12) OR (term_months = 6 AND line <> 'auto')
        OR expiry_date <> (effective_date + to_months(term_months::INT))::DATE""",
    "a term begins after the relation did": """
        FROM policies JOIN policyholders USING (policyholder_id) WHERE effective_date < customer_since""",
    "a status agrees with the dates": """
        FROM policies WHERE (status = 'pending') <> (effective_date >= today())
        OR (status = 'expired' AND expiry_date > today())
        OR (status = 'active' AND NOT (effective_date < today() AND expiry_date > today()))
        OR status NOT IN ('pending', 'active', 'expired', 'cancelled')""",
    "a cancelled policy says when and why, within its term, and no other does": """
        FROM policies WHERE (status = 'cancelled') <> (cancelled_on IS NOT NULL)
        OR (status = 'cancelled') <> (cancellation_reason IS NOT NULL)
        OR cancelled_on <= effective_date OR cancelled_on >= expiry_date OR cancelled_on > today()""",
    "a policy's premium is the sum of its coverages'": """
        FROM policies p WHERE annual_premium IS DISTINCT FROM
        (SELECT sum(premium) FROM coverages c WHERE c.policy_id = p.policy_id)""",
    "a policyholder's premium is the sum of the policies'": """
        FROM policyholders h WHERE annual_premium IS DISTINCT FROM
        (SELECT sum(annual_premium) FROM policies p WHERE p.policyholder_id = h.policyholder_id)""",
    "a premium is of the size of its line": """
        FROM policies p JOIN policyholders USING (policyholder_id) WHERE NOT CASE line
        WHEN 'auto' THEN p.annual_premium BETWEEN 200 AND IF(kind = 'business', 90000, 22000)
        WHEN 'home' THEN p.annual_premium BETWEEN 300 AND 8000
        WHEN 'renters' THEN p.annual_premium BETWEEN 70 AND 450
        ELSE p.annual_premium BETWEEN 150 AND 4000 END""",
    # vehicles and drivers
    "vehicles and drivers are below auto policies, as many as they say, and at least one": """
        FROM policies p WHERE (SELECT count(*) FROM vehicles v WHERE v.policy_id = p.policy_id) <> coalesce(vehicle_count, 0)
        OR (SELECT count(*) FROM drivers d WHERE d.policy_id = p.policy_id) <> coalesce(driver_count, 0)
        OR (line = 'auto') <> (vehicle_count > 0) IS TRUE OR (line = 'auto') <> (driver_count > 0) IS TRUE""",
    "a VIN has 17 characters, of no region, a valid check digit and the code of its model year": f"""
        FROM vehicles WHERE NOT regexp_full_match(vin, '0[A-HJ-NPR-Z0-9]{{16}}') OR vin[9] <> '0123456789X'[(
        {" + ".join(f"vin_value(vin[{place}]) * {weight}" for place, weight in enumerate(VIN_WEIGHTS, 1))}
        ) % 11 + 1] OR vin[10] <> 'ABCDEFGHJKLMNPRSTVWXY123456789'[(model_year - 1980) % 30 + 1]
        OR (vin[7] BETWEEN 'A' AND 'Z') <> (model_year >= 2010)""",
    "a VIN and a licence number are nobody else's": """
        SELECT vin FROM vehicles GROUP BY 1 HAVING count(*) > 1
        UNION ALL SELECT license_number FROM drivers GROUP BY 1 HAVING count(*) > 1""",
    "a model was sold in its year, in its body, and no vehicle is newer than its policy": """
        FROM vehicles v JOIN policies USING (policy_id) WHERE model_year > year(effective_date) OR NOT EXISTS
        (FROM vehicle_models m WHERE m.make = v.make AND m.model = v.model AND m.model_year = v.model_year
        AND m.body_style = v.body_style AND v.vin[2:5] = m.make_code || m.model_code)""",
    "a vehicle is garaged where its policyholder is": """
        FROM vehicles JOIN policies USING (policy_id) JOIN policyholders USING (policyholder_id)
        WHERE garaging_zip <> zip OR garaging_state <> state""",
    "the first driver of a person is the person, the second a spouse, then children; of a business all are employees": """
        FROM drivers d JOIN policies USING (policy_id) JOIN policyholders h USING (policyholder_id)
        WHERE (relationship = 'employee') <> (kind = 'business') OR (relationship = 'policyholder')
        <> (d.first_name = h.first_name AND d.last_name = h.last_name AND d.birth_date = h.birth_date) IS TRUE""",
    "a driver is at least 16, a spouse an adult, an employee 21 to 64, when the term begins": """
        FROM (SELECT *, whole_years(birth_date, effective_date) AS age FROM drivers JOIN policies USING (policy_id))
        WHERE age < CASE relationship WHEN 'child' THEN 16 WHEN 'employee' THEN 21 ELSE 18 END
        OR relationship = 'employee' AND age > 64 OR age > 90""",
    "a child is 16 to 45 years younger than the parent, and a spouse at most 6 years older or younger": """
        FROM drivers d JOIN policies USING (policy_id) JOIN policyholders h USING (policyholder_id)
        WHERE relationship = 'child' AND whole_years(h.birth_date, d.birth_date) NOT BETWEEN 16 AND 45
        OR relationship = 'spouse' AND d.birth_date NOT BETWEEN h.birth_date - INTERVAL 6 YEAR AND h.birth_date + INTERVAL 6 YEAR""",
    "a licence's class fits the age, and it was given from 16 on and before the term": """
        FROM (SELECT *, whole_years(birth_date, effective_date) AS age FROM drivers JOIN policies USING (policy_id))
        WHERE (license_class = 'provisional') <> (age < 18)
        OR license_class LIKE 'commercial%' AND (age < 21 OR relationship <> 'employee')
        OR whole_years(birth_date, licensed_on) < 16 OR licensed_on > effective_date""",
    "a licence number begins with its state and is of a form that no state issues": """
        FROM drivers WHERE license_number[:2] <> license_state OR NOT regexp_full_match(license_number, '[A-Z]{2}[0-9]{11}')""",
    # dwellings
    "a home policy has one dwelling, and no other has any": """
        FROM policies p WHERE (SELECT count(*) FROM dwellings d WHERE d.policy_id = p.policy_id) <> (line = 'home')::INT""",
    "a primary home is where its owner lives, and another isn't lived in by the owner": """
        FROM dwellings d JOIN policies USING (policy_id) JOIN policyholders h USING (policyholder_id)
        WHERE (residence = 'primary') <> (occupancy = 'owner') OR occupancy = 'owner' AND (d.zip, d.street, d.street_number)
        IS DISTINCT FROM (h.zip, h.street, h.street_number)""",
    "a house is older than its policy and no older than 1900, and its roof no older than itself": """
        FROM dwellings JOIN policies USING (policy_id) WHERE year_built NOT BETWEEN 1900 AND year(effective_date)
        OR roof_year NOT BETWEEN year_built AND year(effective_date)""",
    "a replacement cost is of the house's size": """
        FROM dwellings WHERE abs(replacement_cost - square_feet * cost_per_square_foot) > 500 OR replacement_cost % 1000 <> 0
        OR square_feet NOT BETWEEN 750 AND 5200""",
    # coverages
    "a coverage's type fits the line, and comes once a policy": """
        SELECT policy_id FROM coverages GROUP BY policy_id, coverage_type HAVING count(*) > 1
        UNION ALL SELECT policy_id FROM coverages JOIN policies USING (policy_id) WHERE NOT list_contains(CASE line
        WHEN 'auto' THEN ['bodily_injury_liability', 'property_damage_liability', 'uninsured_motorist', 'comprehensive',
        'collision', 'rental_reimbursement'] WHEN 'umbrella' THEN ['excess_liability'] WHEN 'home' THEN ['dwelling',
        'other_structures', 'personal_property', 'loss_of_use', 'personal_liability', 'medical_payments'] ELSE
        ['personal_property', 'loss_of_use', 'personal_liability', 'medical_payments'] END, coverage_type)""",
    "every auto policy has liability, every home policy all six coverages, every renters policy four": """
        SELECT policy_id FROM policies JOIN coverages USING (policy_id) GROUP BY policy_id, line
        HAVING count(*) < CASE line WHEN 'auto' THEN 2 WHEN 'home' THEN 6 WHEN 'renters' THEN 4 ELSE 1 END OR line = 'auto'
        AND count(*) FILTER (coverage_type IN ('bodily_injury_liability', 'property_damage_liability')) < 2""",
    "limits and deductibles are steps that insurers use, or the value of what is insured": """
        FROM coverages c JOIN policies p USING (policy_id) JOIN policyholders USING (policyholder_id)
        LEFT JOIN dwellings d USING (policy_id) WHERE NOT CASE coverage_type
        WHEN 'bodily_injury_liability' THEN coverage_limit IN (50000, 60000, 100000, 300000, 500000, 1000000, 2000000)
        WHEN 'uninsured_motorist' THEN coverage_limit = p.liability_limit
        WHEN 'property_damage_liability' THEN coverage_limit IN (25000, 50000, 100000, 500000, 1000000, 2000000)
        WHEN 'comprehensive' THEN coverage_limit = (SELECT max(market_value) FROM vehicles v WHERE v.policy_id = p.policy_id)
        WHEN 'collision' THEN coverage_limit = (SELECT max(market_value) FROM vehicles v WHERE v.policy_id = p.policy_id)
        WHEN 'rental_reimbursement' THEN coverage_limit IN (900, 1200, 1500)
        WHEN 'dwelling' THEN coverage_limit = d.replacement_cost
        WHEN 'other_structures' THEN coverage_limit * 10 = d.replacement_cost
        WHEN 'personal_property' THEN coverage_limit * 2 = d.replacement_cost
            OR line = 'renters' AND coverage_limit IN (15000, 20000, 30000, 50000)
        WHEN 'loss_of_use' THEN coverage_limit * 5 = d.replacement_cost OR line = 'renters' AND coverage_limit <= 10000
        WHEN 'personal_liability' THEN coverage_limit IN (100000, 300000, 500000) AND (coverage_limit > 100000 OR NOT has_umbrella)
        WHEN 'medical_payments' THEN coverage_limit IN (1000, 2000, 5000)
        ELSE coverage_limit IN (1000000, 2000000, 3000000, 5000000, 10000000) END
        OR deductible NOT IN (0, 100, 250, 500, 1000, 2000, 2500, 5000) OR premium <= 0
        OR (deductible > 0) <> (coverage_type IN ('comprehensive', 'collision', 'dwelling', 'other_structures', 'personal_property'))""",
    "limit, premium and deductible of a coverage are in proportion": """
        FROM coverages WHERE premium > coverage_limit / 3 OR deductible >= coverage_limit""",
    # claims
    "a loss falls within its term, before any cancellation, and before today": """
        FROM claims JOIN policies USING (policy_id) WHERE loss_date < effective_date OR loss_date >= expiry_date
        OR loss_date >= cancelled_on OR loss_date >= today() OR policies.status = 'pending'""",
    "a claim is reported after its loss, within three weeks": """
        FROM claims WHERE reported_date NOT BETWEEN loss_date + 1 AND loss_date + 21 OR reported_date > today()""",
    "a claim's status agrees with its dates": """
        FROM claims WHERE (status IN ('reported', 'open')) <> (closed_date IS NULL)
        OR closed_date <= reported_date OR closed_date > today() OR (status = 'denied') <> (denial_reason IS NOT NULL)
        OR status NOT IN ('reported', 'open', 'settled', 'denied', 'withdrawn', 'closed_without_payment')""",
    "a claim is under a coverage of its own policy, and concerns a vehicle or a dwelling of it": """
        FROM claims c JOIN policies p USING (policy_id) LEFT JOIN coverages o USING (coverage_id)
        LEFT JOIN vehicles v USING (vehicle_id) LEFT JOIN dwellings d USING (dwelling_id)
        WHERE o.policy_id IS DISTINCT FROM c.policy_id OR o.coverage_type IS DISTINCT FROM c.coverage_type
        OR (line = 'auto') <> (vehicle_id IS NOT NULL) OR (line = 'home') <> (dwelling_id IS NOT NULL)
        OR v.policy_id <> c.policy_id OR d.policy_id <> c.policy_id""",
    "a cause fits the line and the coverage": """
        FROM claims JOIN policies USING (policy_id) WHERE cause IN ('flood', 'unknown') OR NOT list_contains(CASE
        WHEN coverage_type = 'comprehensive' THEN ['glass', 'hail', 'animal', 'theft', 'vandalism']
        WHEN coverage_type = 'uninsured_motorist' THEN ['hit_and_run', 'uninsured_driver']
        WHEN line IN ('auto', 'umbrella') THEN ['rear_end', 'intersection', 'lane_change', 'pedestrian', 'parked_vehicle',
        'fixed_object', 'parking'] WHEN coverage_type IN ('personal_liability', 'medical_payments')
        THEN ['slip_and_fall', 'dog_bite'] WHEN coverage_type = 'other_structures' THEN ['wind', 'hail', 'falling_tree']
        WHEN coverage_type = 'dwelling' THEN ['wind', 'hail', 'water_damage', 'fire', 'lightning']
        ELSE ['theft', 'water_damage', 'fire'] END, cause)""",
    "what a coverage would pay is the loss less the deductible, up to the limit and the vehicle's value": """
        FROM claims JOIN coverages USING (coverage_id) LEFT JOIN vehicles USING (vehicle_id)
        WHERE covered_amount <> greatest(0, least(loss_amount - deductible, coverage_limit,
        IF(claims.coverage_type IN ('comprehensive', 'collision'), market_value, coverage_limit)))""",
    "what was paid is the sum of the payments, and at most the coverage's limit": """
        FROM claims c JOIN coverages USING (coverage_id) WHERE paid > coverage_limit OR paid > covered_amount
        OR paid <> (SELECT coalesce(sum(amount), 0) FROM payments p WHERE p.claim_id = c.claim_id)
        OR payment_count <> (SELECT count(*) FROM payments p WHERE p.claim_id = c.claim_id)""",
    "a settled claim was paid whole, a denied or withdrawn one not at all, and an open one in part": """
        FROM claims WHERE status = 'settled' AND (paid <> covered_amount OR payment_count = 0)
        OR status NOT IN ('settled', 'open') AND (paid <> 0 OR payment_count <> 0)
        OR status = 'open' AND paid >= covered_amount
        OR status = 'closed_without_payment' AND covered_amount >= 1""",
    "a reserve is what is expected to be paid still": """
        FROM claims WHERE reserve <> IF(status IN ('reported', 'open'), covered_amount - paid, 0) OR reserve < 0""",
    # payments
    "payments are above nothing, numbered and dated in order, and add up": """
        FROM (SELECT *, row_number() OVER w AS place, lag(paid_on) OVER w AS before, sum(amount) OVER w AS so_far
        FROM payments WINDOW w AS (PARTITION BY claim_id ORDER BY payment_number))
        WHERE amount <= 0 OR place <> payment_number OR paid_on < before OR so_far <> paid_to_date""",
    "a payment is made after the report and before the claim is closed": """
        FROM payments JOIN claims USING (claim_id) WHERE paid_on <= reported_date OR paid_on > coalesce(closed_date, today())""",
    "a payee fits the coverage": """
        FROM payments JOIN claims USING (claim_id) WHERE payee = 'hotel' AND coverage_type <> 'loss_of_use'
        OR payee = 'repair_shop' AND coverage_type NOT IN ('collision', 'comprehensive', 'property_damage_liability')
        OR payee IN ('claimant', 'law_firm') AND NOT regexp_matches(coverage_type, 'liability|medical')
        OR payee = 'policyholder' AND regexp_matches(coverage_type, 'liability|medical')""",
}


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    """The insurer's book of 20,000 trees in DuckDB, with the tables that it draws from."""
    folder = tmp_path_factory.mktemp("book") / "snapshot"
    dataset = load_plan("insurance")
    write_snapshot(folder, SnapshotRequest(dataset=dataset, records=TREES, seed=5, formats=("parquet",)))
    recipe = json.loads((folder / "plan_insurance_v1.json").read_bytes())
    with duckdb.connect() as connection:
        for table in dataset.tables:
            connection.execute(
                f"CREATE TABLE {table.name} AS FROM '{folder}/{table.name}_insurance_v1.parquet'"
            )
        for name in ("places", "area_codes", "vehicle_models"):
            held = recipe["tables"][name]
            rows = folder.parent / f"{name}.json"
            rows.write_text(
                json.dumps([dict(zip(held["columns"], row, strict=True)) for row in held["rows"]])
            )
            texts = ", ".join(f"'{column}': 'VARCHAR'" for column in held["columns"])
            connection.execute(f"CREATE TABLE {name} AS FROM read_json('{rows}', columns = {{{texts}}})")
        connection.execute("CREATE MACRO today() AS DATE '2024-06-01'")
        connection.execute("CREATE MACRO whole_years(born, day) AS date_sub('year', born, day)")
        connection.execute(
            "CREATE MACRO vin_value(c) AS coalesce(try_cast(c AS INT), "
            "instr('ABCDEFGH', c) + instr('JKLMN.P.R', c) + IF(instr('STUVWXYZ', c) > 0, instr('STUVWXYZ', c) + 1, 0))"
        )
        yield connection


@pytest.mark.parametrize("rule", RULES)
def test_the_book_keeps(book: duckdb.DuckDBPyConnection, rule: str) -> None:
    """A rule of the insurer's book, stated again in SQL, is broken by no row of 20,000 trees."""
    assert [] == book.execute(f"FROM ({RULES[rule]}) LIMIT 3").fetchall()


def test_the_book_is_worth_looking_at(book: duckdb.DuckDBPyConnection) -> None:
    """Every state, line, status, coverage and payee comes, so that the rules above have rows to hold."""
    found = {
        "policyholders.state": 51,
        "policies.line": 4,
        "policies.status": 4,
        "policyholders.bundle": 12,
        "coverages.coverage_type": 13,
        "drivers.relationship": 4,
        "drivers.license_class": 5,
        "claims.status": 6,
        "payments.payee": 8,
    }
    for name, values in found.items():
        table, _, column = name.partition(".")
        assert (values,) == book.execute(f"SELECT count(DISTINCT {column}) FROM {table}").fetchone(), name


def test_claims_come_by_line_and_age(book: duckdb.DuckDBPyConnection) -> None:
    """Most policies have no claim; an umbrella has the fewest, and the young more than their parents."""
    by = dict(
        book.execute(
            "SELECT CASE line WHEN 'auto' THEN coalesce(age_group, 'business') ELSE line END, avg(claim_count) "
            "FROM policies JOIN policyholders USING (policyholder_id) WHERE status <> 'pending' GROUP BY 1"
        ).fetchall()
    )
    assert by["umbrella"] < by["renters"] < by["home"] < by["45-59"] < by["18-24"] < 0.3
    assert (True,) == book.execute("SELECT avg((claim_count = 0)::INT) > 0.9 FROM policies").fetchone()


@pytest.mark.parametrize("records", [100, 10_000])
@pytest.mark.parametrize("name", plans.names())
def test_a_plan_that_ships_is_verified(name: str, records: int, tmp_path: Path) -> None:
    """A snapshot of a plan that ships passes every check, counts no more labels than are told, and has no orphans."""
    formats = ("csv", "json", "ndjson", "parquet") if records == 100 else ("parquet",)
    request = SnapshotRequest(dataset=load_plan(name), records=records, seed=8, formats=formats)
    manifest = write_snapshot(tmp_path / "snapshot", request).manifest
    # Else what a million records count, the ids of picked siblings say, would take as much room as they do.
    assert 1_001 >= max(len(counts) for table in manifest.stats.values() for counts in table.values())
    assert "passed" == verify_snapshot(tmp_path / "snapshot").verdict
    checked = orphans(tmp_path / "snapshot")
    assert set() == {key for key, count in checked.items() if count}
    assert {"bank": 4, "insurance": 10, "people": 0, "shop": 5}[name] == len(checked)


def orphans(folder: Path) -> dict[str, int]:
    """Return how many rows refer to no row, by each foreign key that a snapshot's data package declares."""
    package = json.loads((folder / "datapackage.json").read_bytes())
    found = {}
    with duckdb.connect() as connection:
        for resource in package["resources"]:
            if resource["format"] != "parquet":
                continue
            for key in resource["schema"].get("foreignKeys", ()):
                (field,), (referred,) = _listed(key["fields"]), _listed(key["reference"]["fields"])
                other = next(
                    each for each in package["resources"] if each["name"] == key["reference"]["resource"]
                )
                query = (
                    f"SELECT count(*) FROM '{folder / resource['path']}' a WHERE {field} IS NOT NULL AND NOT EXISTS "
                    f"(FROM '{folder / other['path']}' b WHERE b.{referred} = a.{field})"
                )
                row = connection.execute(query).fetchone()
                assert row is not None
                found[f"{resource['name']}.{field}"] = int(row[0])
    return found


def _listed(fields: object) -> list[str]:
    return [fields] if isinstance(fields, str) else list(fields)  # type: ignore[call-overload]


@pytest.mark.parametrize(("table", "field"), [("vehicles", "vin"), ("drivers", "license_number")])
def test_a_number_of_another_row_is_found(table: str, field: str, tmp_path: Path) -> None:
    """VINs and licence numbers hold their rows' own numbers: two that changed places are found from the files alone."""
    request = SnapshotRequest(dataset=load_plan("insurance"), records=30, formats=("csv",))
    folder = tmp_path / "snapshot"
    write_snapshot(folder, request)
    path = folder / f"{table}_insurance_v1.csv"
    lines = path.read_text(encoding="utf-8").splitlines()
    place = lines[0].split(",").index(field)
    one, other = (lines[row].split(",")[place] for row in (1, 2))
    swapped = {one: other, other: one}
    text = re.sub("|".join(swapped), lambda found: swapped[found[0]], path.read_text(encoding="utf-8"))
    path.write_text(text, encoding="utf-8")
    checks = {check.name: check for check in verify_snapshot(folder, regenerate=False).checks}
    assert "failed" == checks["rules"].status
    assert "holds the number of row" in str(checks["rules"].first)
