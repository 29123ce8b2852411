//! A small name server in the test's process.

use std::net::{SocketAddr, UdpSocket};

use hickory_resolver::proto::op::{Message, ResponseCode};
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};

/// Answers each question with these records; where there are none to speak of, the name does not
/// exist. Ends with the test's process.
pub(crate) fn name_server(
    answer: impl Fn(&Name, RecordType) -> Option<Vec<RData>> + Send + 'static,
) -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut octets = [0; 4_096];
        while let Ok((length, from)) = socket.recv_from(&mut octets) {
            let question = Message::from_vec(&octets[..length]).unwrap();
            let name = question.queries[0].name().clone();
            let records = answer(&name, question.queries[0].query_type());
            let mut reply = question.into_response();
            reply.additionals.clear();
            if records.is_none() {
                reply.metadata.response_code = ResponseCode::NXDomain;
            }
            for data in records.unwrap_or_default() {
                reply.add_answer(Record::from_rdata(name.clone(), 60, data));
            }
            socket.send_to(&reply.to_vec().unwrap(), from).unwrap();
        }
    });
    address
}
