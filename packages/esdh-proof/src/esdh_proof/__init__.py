"""Can a snapshot be believed: verification, gates, drift and the audit trail."""
