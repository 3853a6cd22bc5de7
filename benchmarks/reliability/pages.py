"""What the documentation shows of killed fits, from the rows alone."""

from benchmarks.common.rows import Rows, machine_of, results, unique, where
from benchmarks.common.tables import Table


def kills(rows: Rows) -> Table:
    """When fits were killed, and what they ended with."""
    body = []
    for case in unique(rows, "case"):
        mine = where(rows, case=case)
        found = [row["found"] for row in mine]
        fits = {row["fit"]: row["same_bits"] for row in mine}
        same = sum(value == "True" for value in fits.values())
        counts = (
            len(mine),
            found.count("nothing"),
            sum("trials" in f for f in found),
            sum("epoch" in f for f in found),
            sum(int(row["files_left_by_a_save"]) for row in mine),
            sum(int(row["broken_files"]) for row in mine),
        )
        body.append((case, *map(str, counts), f"{same} of {len(fits)}"))
    head = ("fit", "kills", "before the first file", "between trials", "between epochs",
            "saves cut off", "broken files", "fits that ended in the same bits")  # fmt: skip
    return Table(head, body)


def facts() -> dict[str, str]:
    """The sum of all, and where it was made."""
    rows = results("kills")
    fits = {(row["case"], row["fit"]): row["same_bits"] for row in rows}
    return {
        "kills": str(len(rows)),
        "fits": str(len(fits)),
        "same": str(sum(value == "True" for value in fits.values())),
        "machine": machine_of("kills"),
    }


def of_file() -> Table:
    """The table of the committed rows."""
    return kills(results("kills"))


TABLES = {"kills": of_file}
FACTS = facts
