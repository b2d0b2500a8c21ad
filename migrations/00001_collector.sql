-- The core: applications and keys, sessions, events with their ledger, rejections.
--
-- Locks are taken in one order everywhere: event_key by id, session by id, event,
-- rejection_count. Partitions of event and rejection are made by the service, ahead
-- of time and on demand, and attached without blocking writers.
-- Duration: milliseconds, on an empty schema.

-- +goose Up
set local lock_timeout = '1s';
create table application (
    application_id  integer generated always as identity,
    name            text        not null,
    disabled        boolean     not null default false,
    rate_limit      integer,
    allowed_origins text[]      not null default '{}',
    created_at      timestamptz not null default now(),
    constraint application_pkey primary key (application_id),
    constraint application_name_key unique (name),
    constraint application_rate_limit_check check (rate_limit > 0)
);
comment on table application is 'Trusted clients. rate_limit is in events a second; null is none.';

create table api_key (
    key_id            text        not null,
    application_id    integer     not null,
    secret_hash       bytea       not null,
    scopes            text[]      not null,
    organisation_wide boolean     not null default false,
    description       text        not null default '',
    created_at        timestamptz not null default now(),
    expires_at        timestamptz,
    revoked_at        timestamptz,
    constraint api_key_pkey primary key (key_id),
    constraint api_key_application_id_fkey foreign key (application_id) references application (application_id),
    constraint api_key_secret_hash_check check (octet_length(secret_hash) = 32),
    constraint api_key_scopes_check check (scopes <@ array['ingest', 'read', 'admin'] and cardinality(scopes) > 0)
);
comment on table api_key is 'Keys of applications. Only the SHA-256 of a key is stored.';

-- Every change to application or api_key adds one, so that the services learn of
-- changes by reading one row.
create table access_version (
    singleton boolean not null default true,
    version   bigint  not null default 1,
    constraint access_version_pkey primary key (singleton),
    constraint access_version_singleton_check check (singleton)
);
insert into access_version default values;

create table session (
    session_id      uuid      not null,
    last_sequence   bigint    not null,
    event_count     bigint    not null,
    started_at      timestamptz,
    last_event_at   timestamptz,
    application_ids integer[] not null,
    erased_at       timestamptz,
    constraint session_pkey primary key (session_id),
    constraint session_event_count_check check (event_count >= 0 and event_count <= last_sequence),
    constraint session_span_check check ((event_count > 0) = (started_at is not null) and (event_count > 0) = (last_event_at is not null) and started_at <= last_event_at),
    constraint session_erased_check check (erased_at is null or event_count = 0)
) with (fillfactor = 70);
comment on table session is 'One row a session, locked while its events are stored. An erased session stays as a tombstone.';
-- GET /v1/sessions. Only started_at may be indexed: last_event_at and event_count
-- change with every event, and an index on them would end HOT updates.
create index session_started_at_idx on session (started_at, session_id);
-- Forgetting erasures that are older than any event could be.
create index session_erased_at_idx on session (erased_at) where erased_at is not null;

create table event (
    event_id       uuid        not null,
    session_id     uuid        not null,
    sequence       bigint      not null,
    category       text        collate "C" not null,
    name           text        collate "C" not null,
    data           jsonb       not null,
    "timestamp"    timestamptz not null,
    received_at    timestamptz not null,
    application_id integer     not null,
    -- A session's timeline. event_key makes event_id unique.
    constraint event_pkey primary key (session_id, "timestamp", sequence),
    constraint event_sequence_check check (sequence > 0)
) partition by range ("timestamp");
-- Pages over time, and the way from the ledger to the row.
create index event_timestamp_idx on event ("timestamp", event_id);
-- Pages by category; the name is checked inside the index.
create index event_category_idx on event (category, "timestamp", name);

create table event_key (
    event_id    uuid        not null,
    "timestamp" timestamptz not null,
    constraint event_key_pkey primary key (event_id)
);
comment on table event_key is 'The ledger: makes event_id unique over all partitions and points at the right one.';

-- What a stored event was before it was edited, or that it was erased, so that a
-- late retry of the original is still told apart from a conflict.
create table event_amendment (
    event_id        uuid        not null,
    session_id      uuid        not null,
    "timestamp"     timestamptz not null,
    original_digest bytea,
    erased_at       timestamptz,
    constraint event_amendment_pkey primary key (event_id),
    constraint event_amendment_original_digest_check check (octet_length(original_digest) = 32)
);
-- Erasing a session erases these, too.
create index event_amendment_session_id_idx on event_amendment (session_id);

create table rejection (
    rejection_id       uuid        not null,
    received_at        timestamptz not null,
    application_id     integer     not null,
    request_id         text        not null,
    code               text        not null,
    errors             jsonb       not null,
    event_id           uuid,
    session_id         uuid,
    category           text,
    name               text,
    "timestamp"        timestamptz,
    raw                bytea,
    raw_size           integer     not null,
    status             text        not null default 'open',
    event_type_version integer,
    -- Pages, newest first; rejection_id is a UUIDv7 that leads to its received_at.
    constraint rejection_pkey primary key (received_at, rejection_id),
    constraint rejection_status_check check (status in ('open', 'replayed', 'discarded'))
) partition by range (received_at);
comment on column rejection.raw is 'The text as sent, cut to the event limit; null when it is withheld (erased sessions).';
-- Erasing a session, and errors of a session.
create index rejection_session_id_idx on rejection (session_id) where session_id is not null;

create table rejection_count (
    application_id integer     not null,
    hour           timestamptz not null,
    refused        bigint      not null,
    kept           bigint      not null default 0,
    bytes          bigint      not null,
    constraint rejection_count_pkey primary key (application_id, hour)
);
comment on table rejection_count is 'Refusals of an application in an hour: how many there were, with how many bytes, and how many were kept.';

-- +goose Down
set local lock_timeout = '1s';
drop table rejection_count, rejection, event_amendment, event_key, event, session, access_version, api_key, application;
