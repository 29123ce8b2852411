"""What Schemathesis is told about our API beyond its description: each exception with its reason.

Two of its checks compare what the description takes with what the server takes. They are run here
by hand, so that a rule which a JSON Schema cannot say is an exception of its own, not of all.
"""
import json
import os
import re
import sys

import jsonschema_rs
import schemathesis
from schemathesis.core.failures import AcceptedNegativeData
from schemathesis.openapi.checks import RejectedPositiveData
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from rules import broken

with open(os.environ["ZAJIL_OPENAPI"], encoding="utf-8") as file:
    DOCUMENT = json.load(file)

# A request can be well formed and refused because of what there is already (`x-reason`).
OF_STATE = {
    "already_final",  # the message has ended, often by a request before (D11)
    "conflict",  # the name is taken, or a certificate has a key
    "key_reused",  # the generator uses few idempotency keys with many bodies (D6)
    "not_found",
    "unknown_frontend",
}

# Members that are not read: of the older spelling when the newer has a value (S2.1), and the id in
# a body, so that a record can come back as it was read.
NUMBERS = [("called_number", "destination_msisdn"), ("calling_number", "source_msisdn")]
ROUTE = [(None, "id"), ("dest_smsc", "destination_smsc")]
ATTEMPT = [(None, "permanent"), ("dest_smsc", "destination_smsc")]
NOT_READ = {
    "POST /api/routes/simulate": NUMBERS,
    "POST /api/translations/test": NUMBERS,
    "POST /api/routes/import": [("routes", "data")],
    "POST /api/translations/import": [("rules", "data")],
    "POST /api/routes": ROUTE,
    "PUT /api/routes/{id}": ROUTE,
    "PATCH /api/routes/{id}": ROUTE,
    "POST /api/messages/{id}/mark_delivered": [("dest_smsc", "destination_smsc")],
    # A counted attempt is never the last for good.
    "POST /api/messages/{id}/increment_delivery_attempt": ATTEMPT,
    "PUT /api/messages/{id}": ATTEMPT,
    "POST /api/translations": [(None, "id")],
    "PUT /api/translations/{id}": [(None, "id")],
    "PATCH /api/translations/{id}": [(None, "id")],
}

# With the header smsc the list is that of a frontend, which has no filters; without it nothing is
# offered, and who takes the unrouted is no question (S3.1).
OF_THE_LIST = {
    "before", "deadletter", "dest_smsc", "from", "number", "offset", "order", "source_smsc",
    "status", "text", "to",
}


@schemathesis.check
def valid_requests_are_taken(ctx, response, case):
    try:
        positive_data_acceptance(ctx, response, case)
    except RejectedPositiveData:
        reason = (response.headers.get("x-reason") or [""])[0]
        if reason in OF_STATE:
            return
        if reason == "invalid" and broken(case, detail(response)):
            return
        raise


def detail(response):
    return json.loads(response.text).get("errors", {}).get("detail", "")


@schemathesis.check
def invalid_requests_are_refused(ctx, response, case):
    try:
        negative_data_rejection(ctx, response, case)
    except AcceptedNegativeData:
        excused = (
            without_what_is_not_read_it_is_valid(case)
            or has_an_empty_value(response, case)
            or has_what_this_list_does_not_read(case)
        )
        if not excused:
            raise


def without_what_is_not_read_it_is_valid(case):
    rules = NOT_READ.get(case.operation.label)
    if not rules or not isinstance(case.body, dict):
        return False
    left = dict(case.body)
    for newer, older in rules:
        if newer is None or newer in left:
            left.pop(older, None)
    path, method = case.operation.path, case.operation.method.lower()
    content = DOCUMENT["paths"][path][method]["requestBody"]["content"]
    schema = dict(content["application/json"]["schema"], components=DOCUMENT["components"])
    return left != case.body and jsonschema_rs.Draft202012Validator(schema).is_valid(left)


def has_an_empty_value(response, case):
    """An empty value in a query or a header counts as an absent one."""
    headers = (case.headers or {}).values()
    return "" in headers or bool(re.search(r"=(&|$)", response.request.url))


def has_what_this_list_does_not_read(case):
    if case.operation.label != "GET /api/messages":
        return False
    headers = {name.lower(): value for name, value in (case.headers or {}).items()}
    if headers.get("smsc"):
        return bool(OF_THE_LIST & set(case.query or {}))
    return "include-unrouted" in headers or bool({"wait", "lease"} & set(case.query or {}))


@schemathesis.hook
def before_call(ctx, case, kwargs):
    """A poll for a message that nobody sends: a second of it tells as much as a minute."""
    wait = (case.query or {}).get("wait")
    if re.fullmatch(r"[0-9]+", str(wait)) and 1 < int(wait) <= 60:
        case.query["wait"] = 1
