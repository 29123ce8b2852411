"""An application on smpplib that submits what it is told to, and prints what it is answered.

usage: esme_smpplib.py HOST PORT RECEIPTS < CASES   (account shop, password secret08)

Each line of CASES is a submit: n, form, asks (registered_delivery of each part), to, and text or hex.
Ends when RECEIPTS receipts have come.
"""
import json
import sys

import smpplib.client
import smpplib.consts
import smpplib.gsm

HOST, PORT, RECEIPTS = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])


def say(**what):
    print(json.dumps(what), flush=True)


def parts_of(case):
    """What each PDU of a case has besides its addresses."""
    form, text = case["form"], case.get("text", "")
    if form == "binary":
        return [{"short_message": bytes.fromhex(case["hex"]), "data_coding": 4}]
    if form == "payload":
        return [{"short_message": b"", "message_payload": smpplib.gsm.gsm_encode(text)}]
    parts, coding, kind = smpplib.gsm.make_parts(text, use_udhi=form != "sar")
    if form == "flash":
        coding = 0x10
    made = [{"short_message": part, "data_coding": coding, "esm_class": kind} for part in parts]
    if form == "sar":
        for sequence, part in enumerate(made, 1):
            part["sar_msg_ref_num"] = 0x1234
            part["sar_total_segments"] = len(made)
            part["sar_segment_seqnum"] = sequence
    return made


def receipt(pdu):
    """What the library makes of a receipt: its fields, and the words of its text."""
    text = pdu.short_message.decode("latin-1")
    words = dict(word.split(":", 1) for word in text.split(" ") if ":" in word)
    say(
        receipt=pdu.receipted_message_id.decode(),
        kind=pdu.esm_class,
        state=pdu.message_state,
        id=words["id"],
        stat=words["stat"],
        err=words["err"],
        source=pdu.source_addr.decode(),
        destination=pdu.destination_addr.decode(),
    )


client = smpplib.client.Client(HOST, PORT, allow_unknown_opt_params=True)
client.connect()
client.bind_transceiver(system_id="shop", password="secret08")
numbers, heard = {}, []


def submitted(pdu):
    number, part = numbers[pdu.sequence]
    say(submitted=number, part=part, id=pdu.message_id.decode())


def delivered(pdu):
    receipt(pdu)
    heard.append(pdu)


client.set_message_sent_handler(submitted)
client.set_message_received_handler(delivered)
answered = 0
for line in sys.stdin:
    case = json.loads(line)
    parts = parts_of(case)
    assert len(parts) == len(case["asks"]), (case, len(parts))
    for index, (part, asked) in enumerate(zip(parts, case["asks"])):
        pdu = client.send_message(
            source_addr_ton=smpplib.consts.SMPP_TON_ALNUM,
            source_addr="SHOP",
            dest_addr_ton=smpplib.consts.SMPP_TON_INTL,
            dest_addr_npi=smpplib.consts.SMPP_NPI_ISDN,
            destination_addr=case["to"],
            registered_delivery=asked,
            **part,
        )
        numbers[pdu.sequence] = case["n"], index
        client.poll()
while len(heard) < RECEIPTS:
    client.read_once()
client.unbind()
client.disconnect()
