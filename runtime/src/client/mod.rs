//! The client: keys, encryption, decryption.
