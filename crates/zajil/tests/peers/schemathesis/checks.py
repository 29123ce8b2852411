"""What Schemathesis is told about our API beyond its description: each exception with its reason.

Two of its checks compare what the description takes with what the server takes. They are run here
by hand, so that a rule which a JSON Schema cannot say is an exception of its own, not of all.
"""
import json
import os
import re

import jsonschema_rs
import schemathesis
from schemathesis.core.failures import AcceptedNegativeData
from schemathesis.openapi.checks import RejectedPositiveData
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

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

# Rules about values that the description has in words: the sentence of the refusal, and why no
# schema says it.
IN_WORDS = [
    # Relations between members of one object.
    (r"filter\.status (can only be pending|must be a final one)", "depends on action"),
    (r"must be given with (called|calling)_(match|replace)", "comes in pairs"),
    (r"must be given with its replacement", "comes in pairs"),
    (r"called_replace names group|calling_replace names group", "depends on the expression"),
    (r"dest_smsc is required unless", "depends on drop and auto_reply"),
    (r"auto_reply_message is required with auto_reply", "depends on auto_reply"),
    (r"auto_reply cannot be true when drop is", "depends on drop"),
    (r"content_location is required, unless", "depends on the other parts of the message"),
    # A member has an older spelling (S2.1), or may be left out where a PATCH leaves it; null and
    # empty text count as absent.
    (r"\b[a-z_]+ is required\"", "absent, null and empty are one, in either spelling"),
    (r"must not be empty", "blanks alone are empty"),
    (r"cannot be cleared", "the description is that of the POST, which takes null as absent"),
    (r"cannot be changed", "the record as it was read may come back, but not another value"),
    (r"(source|destination)_msisdn must be a string", "read or ignored by direction"),
    # The clock.
    (r"must (lie|be) in the future", "depends on the clock"),
    (r"must be at most 366 days from now", "depends on the clock"),
    (r"must lie between the years 1970 and 9999", "a date-time of RFC 3339 has years from 0"),
    # Values with a grammar of their own, after separators and blanks were taken away.
    (r"must be a number of up to 20 digits", "digits are counted without separators (D8)"),
    (r"must be 3 to 20 digits", "digits are counted without separators (D8)"),
    (r"(called|calling)_prefix must be 1 to 20", "digits are counted without separators (D8)"),
    (r"must be an integer from", "an integer may come as text, whose value no schema bounds"),
    (r"is too long for a number", "counted in octets, without blanks at the ends"),
    (r"networks must be an IP network", "no bit may be set beyond the length"),
    (r"(ip_address|allowed_ips\[\d+\]) must be an IP", "both families in all their spellings"),
    (r"scopes must be of", "frontend:NAME has a name of its own rules"),
    (r"must be names of events", "patterns with stars are taken too"),
    (r"frontend_type must be one of|error_class must be one of", "taken in any case"),
    (r"must be a URL", "scheme, host and what must not be there"),
    (r"must be a media type", "RFC 9110, 8.3.1"),
    (r"pdu cannot be read|pdu must be an SMS-", "3GPP 23.040, by direction"),
    (r"event_type must be a word", "blanks at the ends are taken away first"),
    (r"details must be a JSON object", "an object may come as text"),
    (r"must (be|hold|have) .*printable characters", "by Unicode, not by a list of characters"),
    (r"number must hold digits", "digits are counted without separators (D8)"),
    (r"must name at least one event", "null counts as absent"),
    (r"after each '", "the grammar of a replacement (S5.1)"),
    (r"must not hold a name twice", "uniqueness after blanks were taken away"),
    (r"must have 1 to \d+ letters, digits and signs", "octets of the SMPP character set"),
    (r"cannot be read as a regular expression|is no regular expression", "its own grammar"),
]

# Members that are not read: of the older spelling when the newer has a value (S2.1), and the id in
# a body, so that a record can come back as it was read.
NUMBERS = [("called_number", "destination_msisdn"), ("calling_number", "source_msisdn")]
ROUTE = [(None, "id"), ("dest_smsc", "destination_smsc")]
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
    "POST /api/messages/{id}/increment_delivery_attempt": [(None, "permanent")],
    "PUT /api/messages/{id}": [(None, "permanent")],
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
        text = response.text
        if reason == "invalid" and any(re.search(rule, text) for rule, _ in IN_WORDS):
            return
        raise


@schemathesis.check
def invalid_requests_are_refused(ctx, response, case):
    try:
        negative_data_rejection(ctx, response, case)
    except AcceptedNegativeData:
        excused = (
            without_what_is_not_read_it_is_valid(case)
            or has_an_empty_value(case)
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
        if newer is None or left.get(newer) not in (None, ""):
            left.pop(older, None)
    path, method = case.operation.path, case.operation.method.lower()
    content = DOCUMENT["paths"][path][method]["requestBody"]["content"]
    schema = dict(content["application/json"]["schema"], components=DOCUMENT["components"])
    return left != case.body and jsonschema_rs.Draft202012Validator(schema).is_valid(left)


def has_an_empty_value(case):
    """An empty value in a query counts as an absent one."""
    return any(value in ("", [], {}, None) for value in (case.query or {}).values())


def has_what_this_list_does_not_read(case):
    if case.operation.label != "GET /api/messages":
        return False
    headers = {name.lower(): value for name, value in (case.headers or {}).items()}
    if headers.get("smsc"):
        return bool(OF_THE_LIST & set(case.query or {}))
    return "include-unrouted" in headers


@schemathesis.hook
def before_call(ctx, case, kwargs):
    """A poll for a message that nobody sends: a second of it tells as much as a minute."""
    wait = (case.query or {}).get("wait")
    if re.fullmatch(r"[0-9]+", str(wait)) and 1 < int(wait) <= 60:
        case.query["wait"] = 1
