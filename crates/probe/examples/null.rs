//! Runs the pipeline without output: reading, decoding and metering alone.
#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a measuring aid")]
use rockfish_capture::*;
use rockfish_flow::*;
use rockfish_probe::pipeline::*;
use std::sync::atomic::AtomicBool;
struct Null(u64);
impl RecordSink for Null {
    fn push(&mut self, records: Vec<FlowRecord>) -> anyhow::Result<()> {
        self.0 += records.len() as u64;
        Ok(())
    }
    fn end_epoch(&mut self, _: Timestamp) -> anyhow::Result<()> {
        Ok(())
    }
}
impl Observer for Null {
    fn block(&mut self, _: &Totals) {}
    fn warning(&mut self, warning: &Warning) {
        println!("{warning}");
    }
    fn failed(&mut self, error: CaptureError) -> anyhow::Result<()> {
        Err(error.into())
    }
}
fn main() {
    let path = std::env::args().nth(1).unwrap();
    let workers: usize = std::env::args().nth(2).unwrap().parse().unwrap();
    let mut source = CaptureFiles::open(&path).unwrap();
    let config = PipelineConfig {
        decode: Default::default(),
        meter: Default::default(),
        workers: workers.try_into().unwrap(),
        hash_secret: 7,
        inspection: None,
    };
    let (totals, sink) =
        run(&mut source, None, &config, Null(0), &AtomicBool::new(false), &mut Null(0)).unwrap();
    println!("{} records {totals:?}", sink.0);
}
