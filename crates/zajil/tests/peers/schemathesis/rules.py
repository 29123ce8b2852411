"""Rules that the description has in words, because no schema says them.

Each is the whole sentence of a refusal, and a question about the request: whether the rule was
broken indeed. A refusal that is not here, or that has no cause, is a break of the contract.
"""
import datetime
import ipaddress
import json
import re

# Other spellings of a member (S2.1, S4.5).
SPELLINGS = {
    "destination_msisdn": ["called_number"],
    "called_number": ["destination_msisdn"],
    "dest_smsc": ["destination_smsc"],
    "deliver_time": ["delivered_at"],
    "routes": ["data"],
    "rules": ["data"],
}


def value(body, path):
    """What stands at `filter.status` or `allowed_ips[2]`."""
    for step in re.findall(r"[^.\[\]]+", path):
        if isinstance(body, dict):
            body = body.get(step)
        elif isinstance(body, list) and step.isdigit() and int(step) < len(body):
            body = body[int(step)]
        else:
            return None
    return body


def absent(body, path):
    """The newer spelling counts where it is there, be it as null."""
    given = [value(body, path)] if "." in path else [
        body[name] for name in [path] + SPELLINGS.get(path, []) if name in body
    ]
    return not given or given[0] in (None, "")


def is_true(body, name):
    return value(body, name) in (True, 1, "true", "1")


def instant(text):
    try:
        read = datetime.datetime.fromisoformat(text.upper().replace("Z", "+00:00"))
    except (AttributeError, ValueError):
        return None
    return read if read.tzinfo else read.replace(tzinfo=datetime.timezone.utc)


def time_is(wrong):
    """Python reads years 1 to 9999 only: what it cannot read may well break the rule."""
    def asked(body, name):
        if absent(body, name):
            return False
        texts = [value(body, each) for each in [name] + SPELLINGS.get(name, [])]
        times = [instant(text) for text in texts if text]
        return None in times or any(wrong(time) for time in times)
    return asked


def soon(time):
    # The server judged a moment ago.
    return time <= datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=60)


def far(time):
    return time > datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=365)


def out_of_range(time):
    return not 1970 < time.year < 9999


def has_stray_bits(text):
    try:
        ipaddress.ip_network(text)
    except ValueError:
        return True
    # IPv4 inside IPv6 is IPv4 and has to be written so.
    return text.lower().startswith("::ffff:")


def is_object(text):
    try:
        return isinstance(json.loads(text), dict)
    except (TypeError, ValueError):
        return False


def not_a_pattern(text):
    """Two languages of expressions are alike in what is plain: letters, digits, blanks."""
    return isinstance(text, str) and not re.fullmatch(r"[A-Za-z0-9 ]*", text)


def lone(body, side):
    """A match without a replacement, or the reverse; a PATCH may leave one of them to what is."""
    match, replace = f"{side}_match", f"{side}_replace"
    named = match in body or replace in body
    return named and (absent(body, match) or body.get(replace) is None)


def followed_by_nobody(body):
    # Of two spellings that contradict each other either may count.
    given = [body[name] for name in ("dest_smsc", "destination_smsc") if name in body]
    nobody = not given or None in given or "" in given
    return bool(value(body, "fallback")) and (nobody or is_true(body, "drop"))


def number(body, name):
    try:
        return int(str(value(body, name)).strip())
    except ValueError:
        return None


def part_beyond_parts(body):
    part, parts = number(body, "message_part_number"), number(body, "message_parts")
    # Without parts the text says how many there are.
    return part is not None and (parts is None or part > parts)


def names(body, list_name):
    return [name.strip() for name in value(body, list_name) or [] if isinstance(name, str)]


def ends_before_it_begins(body):
    start, end = instant(value(body, "deliver_after")), instant(value(body, "expires"))
    return start is None or end is None or end <= start


def refers(body, name):
    """A replacement with a group; a PATCH of the match leaves the replacement that is."""
    return "\\" in (body.get(name) or "") or name.replace("replace", "match") in body


NEEDS_NOTHING_ELSE = ("content_location", "message_body", "subject")

# The sentence; whether the rule is broken, of the body and the groups of the sentence.
RULES = [
    # An older member may hold the list, and is looked at as one only.
    (r"(routes|rules) is required", lambda b, name: not isinstance(b.get(name), list)),
    # A member has an older spelling (S2.1), or was there before a PATCH; null and "" are absent.
    (r"([a-z_.]+) is required", absent),
    (r"(message_body) must not be empty", absent),
    (r"([a-z_]+) cannot be cleared", lambda b, name: name in b and absent(b, name)),
    # The record as it was read may come back, but not another value.
    (r"([a-z_]+) cannot be changed(?: after the submit)?", lambda b, name: name in b),
    (r"certificate has a key already: revoke it first", lambda b: not absent(b, "certificate")),
    # Relations between members of one object.
    (r"dest_smsc is required unless auto_reply or drop is true",
     lambda b: absent(b, "dest_smsc") and not is_true(b, "auto_reply") and not is_true(b, "drop")),
    (r"auto_reply_message is required with auto_reply",
     lambda b: is_true(b, "auto_reply") and absent(b, "auto_reply_message")),
    (r"auto_reply cannot be true when drop is",
     lambda b: is_true(b, "auto_reply") and is_true(b, "drop")),
    (r"auto_reply_message must not be empty",
     lambda b: not (value(b, "auto_reply_message") or "").strip()),
    (r"fallback must come with dest_smsc", followed_by_nobody),
    (r"fallback must not hold dest_smsc itself", lambda b: bool(names(b, "fallback"))),
    (r"(fallback) must not hold a name twice",
     lambda b, name: len(set(names(b, name))) < len(names(b, name))),
    (r"content_location is required, unless there is a message_body or a subject",
     lambda b: all(absent(b, name) for name in NEEDS_NOTHING_ELSE)),
    (r"filter\.status can only be pending",
     lambda b: b["action"] != "requeue" and b["filter"]["status"] != "pending"),
    (r"filter\.status must be a final one: what is pending can be retried",
     lambda b: b["action"] == "requeue" and b["filter"]["status"] == "pending"),
    (r"tls must be true while a tls_… field is set", lambda b: not is_true(b, "tls")),
    (r"(tls_[a-z_]+) is required with tls_[a-z_]+", absent),
    (r"(network_error_code) is required with network_type", absent),
    (r"(outbind) is required with outbind_…", absent),
    (r"outbind_tls_ca_path is for accounts with require_tls",
     lambda b: not absent(b, "outbind_tls_ca_path") or not is_true(b, "require_tls")),
    (r"outbind is for accounts that bind as receiver or transceiver",
     lambda b: not absent(b, "outbind") or "bind_types" in b),
    (r"message_part_number must not exceed message_parts", part_beyond_parts),
    (r"id must not be that of an earlier entry", lambda b: not absent(b, "id")),
    # The clock.
    (r"([a-z_]+) must (?:lie|be) in the future", time_is(soon)),
    (r"([a-z_]+) must be at most 366 days from now", time_is(far)),
    (r"([a-z_.]+) must lie between the years 1970 and 9999", time_is(out_of_range)),
    (r"expires must be later than deliver_after", ends_before_it_begins),
    # Values with a grammar of their own.
    (r"networks must be an IP network as .*",
     lambda b: any(has_stray_bits(text) for text in value(b, "networks"))),
    (r"(details|configuration|tp_user_data_header) must be a JSON object",
     lambda b, name: not is_object(value(b, name))),
    (r"pdu (?:cannot be read: .*|must be an? SMS-.*)", lambda b: not absent(b, "pdu")),
    (r"url must be a URL such as .*", lambda b: not absent(b, "url")),
    # Rules of translation may make more of a number than it is, or less.
    (r"(destination_msisdn|called_number) must be 3 to 20 digits .*",
     lambda b, name: not absent(b, name)),
    # Of a TPDU one number is inside, and a member with that name is not read.
    (r"((?:source|destination)_msisdn) must be a string",
     lambda b, name: not isinstance(value(b, name), str)),
    # Expressions and what takes their place (S5.1).
    (r"(called|calling)_match must be given with (?:called|calling)_replace", lone),
    (r"(called|calling)_replace must be given with (?:called|calling)_match", lone),
    (r"called_match or calling_match must be given with its replacement",
     lambda b: absent(b, "called_match") and absent(b, "calling_match")),
    (r"((?:called|calling)_match) .*(?:regular|usable) expression.*",
     lambda b, name: not_a_pattern(value(b, name))),
    (r"((?:called|calling)_replace) names group .*", refers),
    (r"((?:called|calling)_replace) .*after each '.*",
     lambda b, name: "\\" in (value(b, name) or "")),
]


def broken(case, detail):
    """Whether a refusal has one of these rules as its cause."""
    body = case.body if isinstance(case.body, dict) else case.query
    return body is not None and is_broken(body, detail)


def entry(body, number):
    """An entry of an import: in the list, or in an export as it came."""
    for name in ("routes", "rules", "data"):
        found = body.get(name)
        if isinstance(found, dict):
            return entry(found, number)
        if isinstance(found, list) and number < len(found):
            return found[number]
    return None


def is_broken(body, detail):
    imported = re.fullmatch(r"(?:routes|rules)\[(\d+)\]:? (.*)", detail, re.DOTALL)
    if imported:
        body, detail = entry(body, int(imported[1])), imported[2]
    for sentence, asked in RULES:
        found = re.fullmatch(sentence, detail, re.DOTALL)
        if found and isinstance(body, dict) and asked(body, *found.groups()):
            return True
    return False
