// A carrier on the package smpp of npm. Prints what it is sent, in octets and as the library reads
// it, and sends receipts and messages of mobiles. Arguments: files of a certificate and its key.
//
// How it writes ids in responses and receipts is the system_id that binds: "hex" (then decimal),
// "decimal" (then hexadecimal), "capitals" (small letters, then capitals). The fifth submit of a
// session is one too many. Numbers with 9 as the fourth digit cannot be reached.
'use strict';
const fs = require('fs');
const smpp = require('smpp');

const say = (what) => console.log(JSON.stringify(what));
const sessions = {};
let last = 0x038601f0;

const forms = {
  hex: [(id) => id.toString(16).padStart(8, '0'), (id) => String(id)],
  decimal: [(id) => String(id), (id) => id.toString(16)],
  capitals: [(id) => `ab-${id.toString(16)}`, (id) => `AB-${id.toString(16).toUpperCase()}`],
};

// The octets as they came, beside what the library makes of them.
const decode = smpp.filters.message.decode;
let octets = null;
smpp.filters.message.decode = function (value, ...rest) {
  if (Buffer.isBuffer(value) && value.length) octets = value.toString('hex');
  return decode.call(this, value, ...rest);
};

function receipt(session, pdu, id) {
  const failed = pdu.destination_addr[3] === '9';
  const [stat, err] = failed ? ['UNDELIV', '011'] : ['DELIVRD', '000'];
  const date = '2701010101';
  session.deliver_sm({
    esm_class: 4,
    source_addr_ton: 1,
    source_addr_npi: 1,
    source_addr: pdu.destination_addr,
    destination_addr: pdu.source_addr,
    short_message:
      `id:${id} sub:001 dlvrd:${failed ? '000' : '001'} submit date:${date} ` +
      `done date:${date} stat:${stat} err:${err} text:`,
  });
}

function serve(session) {
  let form;
  let submits = 0;
  session.on('error', () => {});
  session.on('pdu', (pdu) => {
    if (pdu.command.startsWith('bind_') && !pdu.isResponse()) {
      form = forms[pdu.system_id];
      sessions[pdu.system_id] = session;
      session.send(pdu.response({ system_id: 'npm', command_status: form ? 0 : 15 }));
    } else if (pdu.command === 'enquire_link' || pdu.command === 'unbind') {
      session.send(pdu.response());
    } else if (pdu.command === 'submit_sm') {
      submits += 1;
      if (submits === 5) {
        say({ throttled: pdu.destination_addr });
        session.send(pdu.response({ command_status: smpp.ESME_RTHROTTLED }));
        return;
      }
      const message = pdu.message_payload || pdu.short_message;
      say({
        to: pdu.destination_addr,
        from: pdu.source_addr,
        coding: pdu.data_coding,
        esm_class: pdu.esm_class,
        octets,
        read: Buffer.isBuffer(message.message) ? null : message.message,
        payload: pdu.message_payload !== undefined,
        sar: [pdu.sar_total_segments || null, pdu.sar_segment_seqnum || null],
      });
      const id = (last += 1);
      session.send(pdu.response({ message_id: form[0](id) }));
      if (pdu.registered_delivery & 1) setTimeout(() => receipt(session, pdu, form[1](id)), 20);
    }
  });
}

const [cert, key] = process.argv.slice(2);
const plain = smpp.createServer(serve);
const secured = smpp.createServer({ cert: fs.readFileSync(cert), key: fs.readFileSync(key) }, serve);
plain.listen(0, '127.0.0.1', () =>
  secured.listen(0, '127.0.0.1', () =>
    say({ port: plain.address().port, tls_port: secured.address().port })
  )
);

// Each line is a message of a mobile: to which session, and the fields of deliver_sm.
require('readline')
  .createInterface({ input: process.stdin })
  .on('line', (line) => {
    const { session, udh, text, ...fields } = JSON.parse(line);
    const short_message = udh ? { udh: Buffer.from(udh, 'hex'), message: text } : text;
    sessions[session].deliver_sm({ ...fields, short_message }, (answer) =>
      say({ answered: answer.command_status })
    );
  })
  .on('close', () => process.exit(0));
