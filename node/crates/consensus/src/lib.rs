//! A synchronous host for the Malachite consensus core: input in, effects out.
