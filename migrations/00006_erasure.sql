-- Erasures as rows: what is to be erased, how far it is, and, at the end, the receipt.
-- Whoever finds one unfinished can finish it.
--
-- The ids of events that are erased with a session now stay in the ledger, each with a
-- row of event_amendment, so that these become as many as events are erased. They are
-- dropped by their timestamp, which is why that gets an index.
-- Locks: event_amendment against writers (edits and erasures), while its index is built:
-- milliseconds for ten thousand events that were edited or erased singly.

-- +goose Up
set local lock_timeout = '1s';
create table erasure (
    erasure_id       uuid        not null,
    session_ids      uuid[]      not null default '{}',
    paths            text[]      not null default '{}',
    filter           jsonb,
    filter_digest    bytea,
    ask_digest       bytea,
    actor            text        not null,
    application      text,
    request_id       text,
    requested_at     timestamptz not null default clock_timestamp(),
    started_at       timestamptz,
    finished_at      timestamptz,
    erased_until     timestamptz,
    step             text        not null default 'sessions',
    place            integer     not null default 0,
    scan_at          timestamptz,
    scan_id          uuid,
    scan_transaction bigint      not null default 0,
    last_transaction bigint      not null default 0,
    late_after       timestamptz,
    scanned          bigint      not null default 0,
    sessions         bigint      not null default 0,
    events           bigint      not null default 0,
    rejections       bigint      not null default 0,
    part_sessions    bigint      not null default 0,
    part_events      bigint      not null default 0,
    part_rejections  bigint      not null default 0,
    digest           bytea       not null default decode(repeat('00', 32), 'hex'),
    lease_id         uuid,
    leased_until     timestamptz,
    taken_at         timestamptz,
    constraint erasure_pkey primary key (erasure_id),
    constraint erasure_step_check check (step in ('sessions', 'errors', 'events', 'late', 'late_errors')),
    constraint erasure_digest_check check (octet_length(digest) = 32),
    constraint erasure_asked_check check (cardinality(session_ids) > 0 or cardinality(paths) > 0),
    constraint erasure_finished_check check (finished_at is null or (filter is null and ask_digest is null and lease_id is null))
);
comment on table erasure is 'What is to be erased, how far it is, and the receipt.';
comment on column erasure.filter is 'Values by path of the payload; null once it is finished: a receipt does not keep what was erased.';
comment on column erasure.filter_digest is 'The SHA-256 of erasure_id and filter.';
comment on column erasure.ask_digest is 'The SHA-256 of what was asked, by which the same erasure is joined while it is not finished.';
comment on column erasure.step is 'The sessions, one after the other; the texts of errors; the events; the events that were stored or changed meanwhile; the texts that were refused meanwhile.';
comment on column erasure.digest is 'The sum, modulo 2^256, of the SHA-256 of the id of each event and each error that was erased.';
comment on column erasure.lease_id is 'Who works on it, until leased_until.';
-- Joining the same erasure.
create unique index erasure_ask_digest_idx on erasure (ask_digest) where finished_at is null;
-- What is to be done, and how old it is.
create index erasure_requested_at_idx on erasure (requested_at) where finished_at is null;

-- Retention: forgetting ids that were erased.
create index event_amendment_timestamp_idx on event_amendment ("timestamp");

-- +goose Down
set local lock_timeout = '1s';
drop index event_amendment_timestamp_idx;
drop table erasure;
