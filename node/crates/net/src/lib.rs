//! The validators' network: one libp2p swarm, its messages and its limits.
