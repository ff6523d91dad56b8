"""The log of the site: a line for what was refused, a traceback for what failed."""

import logging

from django.core.exceptions import PermissionDenied
from django.core.handlers.exception import response_for_exception

from auditsite.logs import RefusalsInOneLine


def test_a_refused_page_is_one_line(rf, caplog):
    response = response_for_exception(rf.get("/admin/"), PermissionDenied("Not yours."))
    assert response.status_code == 403
    assert [(record.name, record.exc_info) for record in caplog.records] == [("django.request", None)]


def test_a_fault_of_the_program_keeps_its_traceback():
    fault = ValueError, ValueError("x"), None
    record = logging.LogRecord("django.request", logging.ERROR, "x", 1, "Internal Server Error", (), fault)
    assert RefusalsInOneLine().filter(record)
    assert record.exc_info is fault
