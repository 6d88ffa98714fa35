#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| rockfish_fuzzing::label(data));
