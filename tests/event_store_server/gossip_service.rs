//! Tells clients about the nodes, and what a node can do.

use std::sync::Arc;

use tonic::{Request, Response, Status};

use crate::clock;
use crate::cluster::Cluster;
use crate::protocol::gossip::gossip_server::Gossip;
use crate::protocol::gossip::member_info::VNodeState;
use crate::protocol::gossip::{ClusterInfo, EndPoint, MemberInfo};
use crate::protocol::server_features::server_features_server::ServerFeatures;
use crate::protocol::server_features::{SupportedMethod, SupportedMethods};
use crate::protocol::shared::{Empty, Uuid, uuid};

/// The version that the server gives as its own. A client may choose what it uses by it.
const VERSION: &str = "24.10.5";

pub(crate) struct GossipService {
    pub(crate) cluster: Arc<Cluster>,
}

#[tonic::async_trait]
impl Gossip for GossipService {
    async fn read(&self, _: Request<Empty>) -> Result<Response<ClusterInfo>, Status> {
        self.cluster.faults.pass().await;
        let now = i64::try_from(clock::since_1970().as_millis() * 10_000).unwrap_or(i64::MAX);
        let members = self.cluster.nodes.iter().enumerate().map(|(place, node)| MemberInfo {
            instance_id: Some(Uuid { value: Some(uuid::Value::String(node.id.to_string())) }),
            time_stamp: now,
            state: match place == self.cluster.leader() {
                true => VNodeState::Leader.into(),
                false => VNodeState::Follower.into(),
            },
            is_alive: node.is_alive(),
            http_end_point: Some(EndPoint { address: "127.0.0.1".to_owned(), port: node.port.into() }),
        });
        Ok(Response::new(ClusterInfo { members: members.collect() }))
    }
}

pub(crate) struct FeaturesService {
    pub(crate) cluster: Arc<Cluster>,
}

#[tonic::async_trait]
impl ServerFeatures for FeaturesService {
    async fn get_supported_methods(&self, _: Request<Empty>) -> Result<Response<SupportedMethods>, Status> {
        self.cluster.faults.pass().await;
        let streams = "event_store.client.streams.streams";
        let method = |name: &str, service: &str, features: &[&str]| SupportedMethod {
            method_name: name.to_owned(),
            service_name: service.to_owned(),
            features: features.iter().map(|&feature| feature.to_owned()).collect(),
        };
        let methods = vec![
            method("read", streams, &["position", "events"]),
            method("append", streams, &[]),
            method("delete", streams, &[]),
            method("tombstone", streams, &[]),
            method("batchappend", streams, &["deadline_duration"]),
            method("read", "event_store.client.gossip.gossip", &[]),
            method("getsupportedmethods", "event_store.client.server_features.serverfeatures", &[]),
        ];
        Ok(Response::new(SupportedMethods { methods, event_store_server_version: VERSION.to_owned() }))
    }
}
