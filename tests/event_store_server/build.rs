//! Compiles the protocol. `protos/` are the files that the crate `kurrentdb` ships.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=protos");
    let files = protox::compile(["streams.proto", "gossip.proto", "serverfeatures.proto"], ["protos"])?;
    tonic_build::configure().build_client(false).bytes(["."]).compile_fds(files)?;
    Ok(())
}
