"""Reads TPDUs ('<' or '>' and hex, one a line) with pycrate and prints their fields as JSON."""
import json
import sys

from pycrate_mobile import TS23040_SMS as sms


def kind(sender, octets):
    mti = octets[0] & 3
    error = octets[1] & 0x80
    if sender == '<':
        return [sms.SMS_DELIVER_REPORT_RP_ERROR if error else sms.SMS_DELIVER_REPORT_RP_ACK,
                sms.SMS_SUBMIT, sms.SMS_COMMAND][mti]
    return [sms.SMS_DELIVER,
            sms.SMS_SUBMIT_REPORT_RP_ERROR if error else sms.SMS_SUBMIT_REPORT_RP_ACK,
            sms.SMS_STATUS_REPORT][mti]


def present(tpdu, name):
    """The field called name, unless it is absent."""
    for field in tpdu._content:
        if field._name == name and not field.get_trans():
            return field
    return None


def moment(field):
    sign, quarters = field['TZ']['TZS'].get_val(), 10 * field['TZ'][2].get_val() + field['TZ'][0].get_val()
    two = [field[name].decode() for name in ('Year', 'Mon', 'Day', 'Hour', 'Min', 'Sec')]
    local = '20%02d-%02d-%02dT%02d:%02d:%02d' % tuple(two)
    return {'local': local, 'tz_quarters': -quarters if sign else quarters, 'tz_sign_bit': sign}


def user_data(tpdu, out):
    field = present(tpdu, 'TP_UD')
    if field is None:
        return
    out['/udl'] = field['UDL'].get_val()
    header = field['UDH']
    if not header.get_trans():
        out['/udh'] = [{'iei': '%02x' % element['T'].get_val(),
                        'data': element.to_bytes()[2:].hex()} for element in header['UDH']]
    body = field['UD'].decode()
    if isinstance(body, bytes):
        out['/data'] = body.hex()
    else:
        out['/text'] = body


def describe(sender, octets):
    tpdu = kind(sender, octets)()
    tpdu.from_bytes(octets)
    out = {'/type': type(tpdu).__name__.split('_RP_')[0].replace('_', '-')}
    numbers = {'TP_RP': 'tp_rp', 'TP_SRI': 'tp_sri', 'TP_SRR': 'tp_srr', 'TP_SRQ': 'tp_srq',
               'TP_RD': 'tp_rd', 'TP_MMS': 'tp_mms', 'TP_VPF': 'tp_vpf', 'TP_MR': 'mr',
               'TP_CT': 'ct', 'TP_MN': 'mn'}
    for theirs, ours in numbers.items():
        field = present(tpdu, theirs)
        if field is not None:
            out['/' + ours] = field.get_val()
    for theirs, ours in {'TP_PID': 'pid', 'TP_DCS': 'dcs'}.items():
        field = present(tpdu, theirs)
        if field is not None:
            out['/' + ours] = field.to_bytes()[0]
    for theirs, ours in {'TP_ST': 'st', 'TP_FCS': 'fcs', 'TP_PI': 'pi'}.items():
        field = present(tpdu, theirs)
        if field is not None:
            out['/' + ours] = field.to_bytes().hex()
    for theirs, ours in {'TP_OA': 'oa', 'TP_DA': 'da', 'TP_RA': 'ra'}.items():
        field = present(tpdu, theirs)
        if field is not None:
            out['/%s/ton' % ours] = field['Type'].get_val()
            out['/%s/npi' % ours] = field['NumberingPlan'].get_val()
            out['/%s/value' % ours] = field['Num'].decode()
    for theirs, ours in {'TP_SCTS': 'scts', 'TP_DT': 'dt'}.items():
        field = present(tpdu, theirs)
        if field is not None:
            out['/' + ours] = moment(field)
    user_data(tpdu, out)
    return out


for line in sys.stdin:
    sender, digits = line.split()
    print(json.dumps(describe(sender, bytes.fromhex(digits)), ensure_ascii=False))
