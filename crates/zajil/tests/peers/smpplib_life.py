"""Two applications on smpplib: one submits, the other is delivered to. Prints what each has seen.

usage: smpplib_life.py HOST PORT   (accounts shop and phone, password secret08)
       smpplib_life.py HOST PORT COUNT   (only submits so many, and prints the ids as they come)
"""
import json
import sys

import smpplib.client
import smpplib.consts
import smpplib.gsm

HOST, PORT = sys.argv[1], int(sys.argv[2])


def connect(name, bind):
    client = smpplib.client.Client(HOST, PORT, allow_unknown_opt_params=True)
    client.connect()
    getattr(client, bind)(system_id=name, password="secret08")
    return client


def submit(client, part, coding, kind):
    client.send_message(
        source_addr_ton=smpplib.consts.SMPP_TON_ALNUM,
        source_addr="SHOP",
        dest_addr_ton=smpplib.consts.SMPP_TON_INTL,
        dest_addr_npi=smpplib.consts.SMPP_NPI_ISDN,
        destination_addr="46709771337",
        short_message=part,
        data_coding=coding,
        esm_class=kind,
        registered_delivery=False,
    )


def only_submit(count):
    shop = connect("shop", "bind_transmitter")
    shop.set_message_sent_handler(lambda pdu: print(pdu.message_id.decode(), flush=True))
    for number in range(count):
        submit(shop, b"number %d" % number, 0, 0)
        shop.read_once()


def life():
    phone = connect("phone", "bind_transceiver")
    shop = connect("shop", "bind_transceiver")
    ids, got = [], []
    shop.set_message_sent_handler(lambda pdu: ids.append(pdu.message_id.decode()))
    phone.set_message_received_handler(
        lambda pdu: got.append([pdu.esm_class, pdu.data_coding, pdu.short_message.hex()])
    )
    sent = []
    for text in ["hello @ \u20ac", "0123456789" * 30, "\u0645\u0631\u062d\u0628\u0627 " * 30]:
        parts, coding, kind = smpplib.gsm.make_parts(text)
        for part in parts:
            submit(shop, part, coding, kind)
            shop.read_once()
            sent.append([kind, coding, part.hex()])
    while len(got) < len(sent):
        phone.read_once()
    shop.unbind()
    phone.unbind()
    print(json.dumps({"ids": ids, "sent": sent, "got": got}))


if len(sys.argv) > 3:
    only_submit(int(sys.argv[3]))
else:
    life()
