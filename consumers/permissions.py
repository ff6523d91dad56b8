"""Who may do what with the consumers' own tables.

The pipeline keeps its state there. The site asks of stages what an admin wants of them, adds to the log of what was
asked, and reads the rest.
"""

from audittrail.capture.rights import ADD, ADD_AND_CHANGE, ALL, READ, Rights

RIGHTS = {
    "consumers_stagecontrol": Rights(site=ADD_AND_CHANGE, pipeline=ADD),
    "consumers_controlaction": Rights(site=ADD, pipeline=ADD),
    "consumers_haltrelease": Rights(site=ADD, pipeline=READ),
    "consumers_member": Rights(site=READ, pipeline=ALL),
    "consumers_sinkoffset": Rights(site=READ, pipeline=ALL),
    "consumers_relaylane": Rights(site=READ, pipeline=ALL),
    "consumers_deadletter": Rights(site=READ, pipeline=ADD_AND_CHANGE),
    "consumers_lagsample": Rights(site=READ, pipeline=ALL),
}
