//! `zajil smpp-sim`: a carrier that is not there, to try settings and see failures on purpose.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use serde_json::json;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use zajil_smpp::sim::{self, Behaviour, Carrier, IdForm, Receipts};

use crate::cli::{self, say};
use crate::serve::Signals;
use crate::smpp;
use crate::tls::{ClientAuth, Files};

#[derive(Debug, Clone, Copy, ValueEnum)]
enum How {
    /// Takes all at once.
    Healthy,
    /// Cuts the connection at every --count submits, which it has taken and does not answer.
    Flaky,
    /// Answers after --answer-after-ms.
    Slow,
    /// ESME_RTHROTTLED above --count in a second.
    Throttling,
    /// Binds, and answers no submit.
    Dead,
    /// ESME_RMSGQFUL after --count.
    Capped,
}

#[derive(Debug, Args)]
pub(crate) struct SimArgs {
    /// Where it listens.
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:2776")]
    listen: SocketAddr,
    /// Its certificate (PEM): it speaks TLS, and nothing else.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// The key of the certificate.
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Clients have to show a certificate that these authorities have signed.
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_client_ca: Option<PathBuf>,
    /// How it treats submits. Any system_id and password may bind.
    #[arg(long, value_enum, default_value = "healthy")]
    behaviour: How,
    /// For flaky, throttling and capped.
    #[arg(long, default_value = "10")]
    count: NonZeroU32,
    /// For slow.
    #[arg(long, default_value_t = 2_000)]
    answer_after_ms: u64,
    /// Receipts that are asked for come after so long.
    #[arg(long, default_value_t = 1_000)]
    receipt_after_ms: u64,
    /// How ids look in responses and receipts: same, hex-decimal, decimal-hex, zeros or upper.
    #[arg(long, default_value = "same", value_parser = id_form)]
    receipt_ids: IdForm,
    /// Receipts come before the responses to their submits.
    #[arg(long)]
    early_receipts: bool,
    /// Receipts come twice.
    #[arg(long)]
    double_receipts: bool,
    /// Receipts also have receipted_message_id and message_state.
    #[arg(long)]
    receipt_parameters: bool,
    /// Every so manieth message is undeliverable.
    #[arg(long)]
    failing_every: Option<NonZeroU32>,
    /// It delivers a message of a mobile so often.
    #[arg(long)]
    message_every_ms: Option<u64>,
    /// Print JSON, an object a line.
    #[arg(long)]
    json: bool,
}

fn id_form(word: &str) -> Result<IdForm, String> {
    let known = IdForm::ALL.into_iter().find(|(_, known)| *known == word);
    known.map(|(form, _)| form).ok_or_else(|| {
        let words = IdForm::ALL.map(|(_, word)| word).join(", ");
        format!("must be one of {words}")
    })
}

impl SimArgs {
    /// The files of its certificate.
    fn files(&self) -> Option<Files> {
        let authorities = self.tls_client_ca.clone();
        Some(Files {
            certificate: self.tls_cert.clone()?,
            key: self.tls_key.clone()?,
            clients: authorities.map(|path| (path, ClientAuth::Required)),
        })
    }

    fn options(&self) -> sim::Options {
        sim::Options {
            behaviour: match self.behaviour {
                How::Healthy => Behaviour::Healthy,
                How::Flaky => Behaviour::Flaky(self.count),
                How::Slow => Behaviour::Slow(Duration::from_millis(self.answer_after_ms)),
                How::Throttling => Behaviour::Throttling(self.count),
                How::Dead => Behaviour::Dead,
                How::Capped => Behaviour::Capped(self.count.get()),
            },
            receipts: Receipts {
                delay: Duration::from_millis(self.receipt_after_ms),
                ids: self.receipt_ids,
                early: self.early_receipts,
                doubled: self.double_receipts,
                failing_every: self.failing_every,
                parameters: self.receipt_parameters,
            },
            message_every: self.message_every_ms.map(Duration::from_millis),
            first_id: 1,
        }
    }
}

/// Runs it until a signal, and says what it took.
pub(crate) fn run(args: &SimArgs) -> anyhow::Result<ExitCode> {
    cli::runtime()?.block_on(async {
        let listener = TcpListener::bind(args.listen).await;
        let listener = listener.with_context(|| format!("cannot listen on {}", args.listen))?;
        let secure = args.files().map(smpp::secure).transpose()?;
        let carrier = Carrier::new(args.options(), Arc::new(zajil_engine::system::SystemClock));
        let mut signals = Signals::new()?;
        let address = listener.local_addr()?;
        say(&match args.json {
            true => format!("{}\n", json!({ "listen": address.to_string() })),
            false => format!("carrier simulator on {address}\n"),
        })?;
        let stop = CancellationToken::new();
        let serving = Arc::clone(&carrier).serve((listener, secure), stop.clone());
        let ending = async {
            signals.next().await;
            stop.cancel();
        };
        tokio::join!(serving, ending);
        let (submits, receipts) = (carrier.submits(), carrier.receipted());
        say(&match args.json {
            true => format!("{}\n", json!({ "submits": submits, "receipts": receipts })),
            false => format!("{submits} submits, {receipts} receipts taken\n"),
        })
    })
}
