// An application on the package smpp of npm that submits what it is told to, and prints what it is
// answered. Called and answered as esme_smpplib.py is.
'use strict';
const smpp = require('smpp');

const [host, port, receipts] = process.argv.slice(2);
const say = (what) => console.log(JSON.stringify(what));

// The library encodes what it is given as a string, in the way that data_coding says or, without
// one, in a way that it finds.
function partsOf({ form, text, hex }) {
  const pieces = [];
  for (let at = 0; at < (text || '').length; at += 153) pieces.push(text.slice(at, at + 153));
  switch (form) {
    case 'binary':
      return [{ short_message: Buffer.from(hex, 'hex'), data_coding: 4 }];
    case 'payload':
      return [{ message_payload: text, data_coding: 0 }];
    case 'udh':
      return pieces.map((message, index) => ({
        short_message: { udh: Buffer.from([5, 0, 3, 0x5a, pieces.length, index + 1]), message },
        data_coding: 0,
      }));
    case 'sar':
      return pieces.map((message, index) => ({
        short_message: message,
        data_coding: 0,
        sar_msg_ref_num: 0x1234,
        sar_total_segments: pieces.length,
        sar_segment_seqnum: index + 1,
      }));
    case 'flash':
      return [{ short_message: text, data_coding: 0x10 }];
    default:
      return [{ short_message: text }];
  }
}

let heard = 0;
let unanswered = 0;
const session = smpp.connect({ host, port: Number(port) });
const ends = () => {
  if (heard >= receipts && unanswered === 0) session.unbind(() => session.close());
};

session.on('error', (error) => {
  console.error(error);
  process.exit(1);
});
session.on('deliver_sm', (pdu) => {
  const text = pdu.short_message.message;
  const word = (name) => new RegExp(`${name}:(\\S+)`).exec(text)[1];
  say({
    receipt: pdu.receipted_message_id,
    kind: pdu.esm_class,
    state: pdu.message_state,
    id: word('id'),
    stat: word('stat'),
    err: word('err'),
    source: pdu.source_addr,
    destination: pdu.destination_addr,
  });
  heard += 1;
  session.send(pdu.response(), ends);
});
session.on('connect', () => {
  session.bind_transceiver({ system_id: 'shop', password: 'secret08' }, (bound) => {
    if (bound.command_status !== 0) throw new Error(`bind: ${bound.command_status}`);
    for (const line of require('fs').readFileSync(0, 'utf8').trim().split('\n')) {
      const entry = JSON.parse(line);
      const parts = partsOf(entry);
      if (parts.length !== entry.asks.length) throw new Error(`${parts.length} parts: ${line}`);
      parts.forEach((part, index) => {
        unanswered += 1;
        session.submit_sm(
          {
            source_addr_ton: 5,
            source_addr: 'SHOP',
            dest_addr_ton: 1,
            dest_addr_npi: 1,
            destination_addr: entry.to,
            registered_delivery: entry.asks[index],
            ...part,
          },
          (response) => {
            unanswered -= 1;
            say({
              submitted: entry.n,
              part: index,
              id: response.message_id,
              status: response.command_status,
            });
            ends();
          }
        );
      });
    }
  });
});
