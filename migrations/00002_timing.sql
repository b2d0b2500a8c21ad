-- How an event came in: its trace, how long it took to be judged, and the group that
-- committed it. How long the group's commit took is known only after it, so it is
-- kept apart, many groups to a row.
-- Duration: milliseconds; the columns are null in what is there already.

-- +goose Up
set local lock_timeout = '1s';
alter table event
    add column judged_us integer,
    add column group_id  bigint,
    add column trace_id  uuid;
comment on column event.judged_us is 'Microseconds from received_at until the event was judged.';
comment on column event.group_id is 'The group that committed it; above the lowest 11 bits are the microseconds since 1970 at which it began.';
comment on column event.trace_id is 'The W3C trace id of the request.';

alter table rejection add column trace_id uuid;
comment on column rejection.trace_id is 'The W3C trace id of the request.';

create table group_timing (
    group_timing_id bigint      generated always as identity,
    written_at      timestamptz not null,
    group_ids       bigint[]    not null,
    took_us         integer[]   not null,
    -- The way from a group, whose id tells when it began, to the row written soon after.
    constraint group_timing_pkey primary key (written_at, group_timing_id),
    constraint group_timing_took_us_check check (cardinality(took_us) = cardinality(group_ids))
);
comment on table group_timing is 'How long the commits of groups took, in microseconds.';

-- +goose Down
set local lock_timeout = '1s';
drop table group_timing;
alter table rejection drop column trace_id;
alter table event drop column trace_id, drop column group_id, drop column judged_us;
