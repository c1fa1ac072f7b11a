//! The requests that read: streams and the whole log, in both directions, and subscriptions.

use std::sync::Arc;

use futures_util::{StreamExt, stream};
use regex::Regex;
use tonic::Status;

use crate::cluster::Cluster;
use crate::log::{Filter, InvalidPosition, Page, Recorded, Unreadable};
use crate::messages::{Ids, read_event, response, stream_deleted, stream_identifier, stream_name};
use crate::protocol::streams::read_req::Options;
use crate::protocol::streams::read_req::options::{
    self, AllOptions, CountOption, FilterOption, FilterOptions, ReadDirection, StreamOption, StreamOptions,
    all_options, filter_options, stream_options,
};
use crate::protocol::streams::read_resp::{Content, StreamNotFound};
use crate::service::Responses;
use crate::subscription::{Wanted, subscribe};

/// How many events a subscription passes between two checkpoints, if the client does not say.
const WINDOW: u32 = 32;

/// Answers a read of a node.
pub(crate) fn read(cluster: &Arc<Cluster>, node: usize, options: Options) -> Result<Responses, Status> {
    let ids = match options.uuid_option.and_then(|option| option.content) {
        Some(options::uuid_option::Content::String(_)) => Ids::Text,
        Some(options::uuid_option::Content::Structured(_)) => Ids::Halves,
        None => return Err(Status::invalid_argument("'uuidOption' is a required argument")),
    };
    let backwards = options.read_direction == i32::from(ReadDirection::Backwards);
    let compatible = options.control_option.is_some_and(|option| option.compatibility >= 1);
    match (options.stream_option, options.count_option) {
        (Some(StreamOption::Stream(stream)), Some(CountOption::Count(count))) => {
            let answer = read_stream(cluster, stream, backwards, count, compatible, ids)?;
            Ok(stream::iter(answer.into_iter().map(|content| Ok(response(content)))).boxed())
        }
        (Some(StreamOption::All(all)), Some(CountOption::Count(count))) => {
            let filter = filter(options.filter_option)?.0;
            let events = read_all(cluster, all, backwards, count, &filter)?;
            let answer = events.into_iter().map(move |event| Ok(response(read_event(&event, ids))));
            Ok(stream::iter(answer).boxed())
        }
        (Some(StreamOption::Stream(stream)), Some(CountOption::Subscription(_))) => {
            let name = stream_name(stream.stream_identifier)?;
            let from = match stream.revision_option {
                Some(stream_options::RevisionOption::Revision(revision)) => revision.saturating_add(1),
                Some(stream_options::RevisionOption::End(_)) => {
                    let page = cluster.log.stream_backwards(&name, None, 1);
                    page.map_or(0, |page| page.last.saturating_add(1))
                }
                _ => 0,
            };
            Ok(subscribe((cluster.clone(), node), Wanted::Stream { name, from }, 0, ids).boxed())
        }
        (Some(StreamOption::All(all)), Some(CountOption::Subscription(_))) => {
            let (filter, checkpoint_after) = filter(options.filter_option)?;
            let done = match all.all_option {
                Some(all_options::AllOption::Position(position)) => {
                    cluster.log.count_until(position.commit_position)
                }
                Some(all_options::AllOption::End(_)) => cluster.log.count(),
                _ => 0,
            };
            let wanted = Wanted::All { filter, checkpoint_after };
            Ok(subscribe((cluster.clone(), node), wanted, done, ids).boxed())
        }
        _ => Err(Status::invalid_argument("this combination of options is invalid")),
    }
}

fn read_stream(
    cluster: &Cluster,
    stream: StreamOptions,
    backwards: bool,
    count: u64,
    compatible: bool,
    ids: Ids,
) -> Result<Vec<Content>, Status> {
    let name = stream_name(stream.stream_identifier)?;
    let from = match stream.revision_option {
        Some(stream_options::RevisionOption::Revision(revision)) if i64::try_from(revision).is_err() => {
            return Err(Status::invalid_argument("the revision is out of range"));
        }
        Some(stream_options::RevisionOption::Revision(revision)) => Some(revision),
        Some(stream_options::RevisionOption::End(_)) if !backwards => Some(u64::MAX),
        Some(stream_options::RevisionOption::Start(_)) if backwards => Some(0),
        _ => None,
    };
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    let page = match backwards {
        true => cluster.log.stream_backwards(&name, from, count),
        false => cluster.log.stream_forwards(&name, from, count),
    };
    match page {
        Ok(page) => Ok(page_of(&page, backwards, from, compatible, ids)),
        Err(Unreadable::NotFound) => {
            let stream_identifier = Some(stream_identifier(&name));
            Ok(vec![Content::StreamNotFound(StreamNotFound { stream_identifier })])
        }
        Err(Unreadable::Deleted) => Err(stream_deleted(&name)),
    }
}

fn page_of(page: &Page, backwards: bool, from: Option<u64>, compatible: bool, ids: Ids) -> Vec<Content> {
    let mut answer = Vec::new();
    if compatible && !backwards && page.events.is_empty() && from.unwrap_or(0) != page.first {
        answer.push(Content::FirstStreamPosition(page.first));
    }
    answer.extend(page.events.iter().map(|event| read_event(event, ids)));
    if compatible {
        answer.push(Content::LastStreamPosition(page.last));
    }
    answer
}

fn read_all(
    cluster: &Cluster,
    all: AllOptions,
    backwards: bool,
    count: u64,
    filter: &Filter,
) -> Result<Vec<Arc<Recorded>>, Status> {
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    let from = match all.all_option {
        Some(all_options::AllOption::Position(at)) => {
            let (commit, prepare) = (at.commit_position, at.prepare_position);
            // The end of the log, as some clients write it.
            let end = commit == u64::MAX && prepare == u64::MAX;
            if !end && (i64::try_from(commit).is_err() || commit != prepare) {
                return Err(invalid_position(InvalidPosition));
            }
            (!end).then_some(commit)
        }
        Some(all_options::AllOption::Start(_)) => Some(0),
        _ => None,
    };
    let page = match (backwards, from) {
        (true, from) => cluster.log.all_backwards(from, filter, count),
        (false, Some(from)) => cluster.log.all_forwards(from, filter, count),
        (false, None) => Ok(Vec::new()),
    };
    page.map_err(invalid_position)
}

fn invalid_position(_: InvalidPosition) -> Status {
    Status::invalid_argument("Trying to read from an invalid position.")
}

/// The filter, and after how many events a subscription with it has a checkpoint.
fn filter(option: Option<FilterOption>) -> Result<(Filter, Option<usize>), Status> {
    let Some(FilterOption::Filter(FilterOptions {
        filter: Some(filter),
        window,
        checkpoint_interval_multiplier,
    })) = option
    else {
        return Ok((Filter::Everything, None));
    };
    if checkpoint_interval_multiplier == 0 {
        return Err(Status::invalid_argument("checkpointIntervalMultiplier must be greater than zero"));
    }
    let window = match window {
        Some(filter_options::Window::Max(0)) | None => {
            return Err(Status::invalid_argument("the window must be greater than zero"));
        }
        Some(filter_options::Window::Max(max)) => max,
        Some(filter_options::Window::Count(_)) => WINDOW,
    };
    let interval = usize::try_from(window.saturating_mul(checkpoint_interval_multiplier)).ok();
    let regex = |text: &str| Regex::new(text).map_err(|error| Status::invalid_argument(error.to_string()));
    let filter = match filter {
        filter_options::Filter::StreamIdentifier(by) if by.regex.is_empty() => {
            Filter::StreamPrefixes(by.prefix)
        }
        filter_options::Filter::StreamIdentifier(by) => Filter::StreamRegex(regex(&by.regex)?),
        filter_options::Filter::EventType(by) if by.regex.is_empty() => Filter::TypePrefixes(by.prefix),
        filter_options::Filter::EventType(by) => Filter::TypeRegex(regex(&by.regex)?),
    };
    Ok((filter, interval))
}
