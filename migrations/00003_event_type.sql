-- Event types with their versions, what they did to events and refusals, the second
-- life of refusals, the order in which events were committed, and who changed what.
-- Duration: milliseconds for the tables and columns; the indexes on event are built
-- while writers wait, some 2 s for a million events.

-- +goose Up
set local lock_timeout = '1s';
create table event_type (
    event_type_id integer     generated always as identity,
    category      text        collate "C" not null,
    name          text        collate "C" not null,
    version       integer     not null,
    deleted_at    timestamptz,
    constraint event_type_pkey primary key (event_type_id),
    constraint event_type_category_name_key unique (category, name),
    constraint event_type_version_check check (version > 0)
);
comment on table event_type is 'Registered types of events. A deleted one keeps its row, so that its versions are never given twice.';

create table event_type_version (
    event_type_id integer     not null,
    version       integer     not null,
    schema        json,
    mode          text        not null,
    description   text        not null default '',
    created_at    timestamptz not null default now(),
    constraint event_type_version_pkey primary key (event_type_id, version),
    constraint event_type_version_event_type_id_fkey foreign key (event_type_id) references event_type (event_type_id),
    constraint event_type_version_mode_check check (mode in ('enforce', 'observe'))
);
comment on column event_type_version.schema is 'JSON Schema 2020-12 of data, as it was sent; null accepts all.';

-- Every change to event_type adds one, so that the services learn of changes by
-- reading one row.
create table event_type_revision (
    singleton boolean not null default true,
    revision  bigint  not null default 1,
    hash_key  bytea   not null,
    constraint event_type_revision_pkey primary key (singleton),
    constraint event_type_revision_singleton_check check (singleton),
    constraint event_type_revision_hash_key_check check (octet_length(hash_key) = 32)
);
comment on column event_type_revision.hash_key is 'The secret by which values are hashed that a schema marks so. Two random UUIDs hold 244 random bits.';
insert into event_type_revision (hash_key)
values (sha256(convert_to(gen_random_uuid()::text || gen_random_uuid()::text, 'UTF8')));

alter table event
    add column event_type_version integer,
    add column violations         jsonb,
    add column transaction_id     bigint not null default 0;
-- The default of the events that are there already is 0; it rewrites nothing.
alter table event alter column transaction_id set default txid_current();
comment on column event.event_type_version is 'The version of the event type that judged it; null where there was none.';
comment on column event.violations is 'What an event type that only observes had to object; null is nothing.';
comment on column event.transaction_id is 'The transaction that stored or last changed it, with its epoch (txid_current): the order of changes.';
-- GET /v1/events/changes.
create index event_transaction_id_idx on event (transaction_id);
-- Events that an event type objects to, which are few.
create index event_violations_idx on event ("timestamp", event_id) where violations is not null;

alter table rejection
    add column replayed_at      timestamptz,
    add column outcome          text,
    add column outcome_event_id uuid,
    add column outcome_errors   jsonb,
    add column leased_until     timestamptz,
    add constraint rejection_outcome_check check (outcome in ('stored', 'duplicate', 'rejected'));
comment on column rejection.outcome is 'What became of the last replay; outcome_errors say why it was rejected again.';
comment on column rejection.leased_until is 'Until when a replay that took it may still be at work.';

create table audit_entry (
    audit_entry_id uuid        not null,
    "at"           timestamptz not null default clock_timestamp(),
    actor          text        not null,
    application    text,
    request_id     text,
    action         text        not null,
    target         text        not null,
    detail         jsonb       not null default '{}',
    -- Pages, newest first.
    constraint audit_entry_pkey primary key ("at", audit_entry_id)
);
comment on table audit_entry is 'What administrators changed, written in the transaction of the change.';

-- +goose Down
set local lock_timeout = '1s';
drop table audit_entry;
alter table rejection
    drop constraint rejection_outcome_check, drop column leased_until, drop column outcome_errors, drop column outcome_event_id,
    drop column outcome, drop column replayed_at;
alter table event drop column transaction_id, drop column violations, drop column event_type_version;
drop table event_type_revision, event_type_version, event_type;
