//! The values between the steps of a program.

use crate::program::message::Server;

/// The values that are still needed. Ciphertexts are large: what nothing will read is dropped at once.
pub(super) struct Values<V> {
    values: Vec<Option<V>>,
    readers: Vec<usize>,
}

impl<V> Values<V> {
    pub(super) fn new(server: &Server, inputs: Vec<V>) -> Self {
        let count = server.inputs.len() + server.steps.len();
        let mut readers = vec![0; count];
        // Outputs are read at the very end.
        for value in server.steps.iter().flat_map(|step| step.inputs()).chain(&server.output_values) {
            readers[*value as usize] += 1;
        }
        let mut values: Vec<Option<V>> = inputs.into_iter().map(Some).collect();
        values.resize_with(count, || None);
        Self { values, readers }
    }

    pub(super) fn get(&self, value: u32) -> &V {
        self.values[value as usize].as_ref().expect("values live until their last reader")
    }

    pub(super) fn set(&mut self, value: usize, result: V) {
        if self.readers[value] > 0 {
            self.values[value] = Some(result);
        }
    }

    /// A step has read these.
    pub(super) fn release(&mut self, read: &[u32]) {
        for value in read {
            let readers = &mut self.readers[*value as usize];
            *readers -= 1;
            if *readers == 0 {
                self.values[*value as usize] = None;
            }
        }
    }
}
