"""Who may do what in the database: one list, from which rights are granted and with which they are compared."""

from audittrail import conf


def executors(function: str) -> frozenset[str]:
    """The roles that may call a function of capture, its owner apart: only what a role has to call is listed."""
    site, pipeline = conf.application_role(), conf.pipeline_role()
    listed = {
        "audit_enter": {site},
        "audit_record_save": {site},
        "audit_fold_now": {site},
        "audit_drift": {site},
        "audit_request_keyframe": {pipeline},
    }
    return frozenset(listed.get(function, ()))
