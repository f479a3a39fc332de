//! The models that the tests ask, as a program: a server with the API of OpenAI, for trying the assistant by hand and for
//! tests in other languages.
//!
//!     cargo run -p dermaga-tests --bin models -- --port 8081
//!     DERMAGA_ASSISTANT_URL=http://127.0.0.1:8081/v1 cargo run

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a program of tests may fail loudly, and says where it is"
)]

use std::net::{Ipv4Addr, TcpListener};

use clap::Parser;
use dermaga_tests::openai::{DIMENSION, OpenAi};

/// Answers as a server of models does: vectors are hashed words, answers are composed from the sources.
#[derive(Parser)]
struct Options {
    /// The port on the loopback address; 0 for one that is free
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Numbers of a vector
    #[arg(long, default_value_t = DIMENSION, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=4_096))]
    dimension: usize,
}

fn main() {
    let options = Options::parse();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, options.port)).unwrap();
    let server = OpenAi::start_at(listener, "v1", options.dimension);
    println!("models answer at {}/v1", server.url);
    loop {
        std::thread::park();
    }
}
