-- What the service does beyond reading and writing rows: it makes partitions and lets
-- go of them. These functions do it as the owner of the tables, so that the role of
-- the service needs no right to make, change or drop anything, see `theeye migrate
-- roles`. Each of them does one thing to the tables of this schema, whatever it is given.
-- Locks: none. Duration: milliseconds.

-- +goose Up
set local lock_timeout = '1s';

-- +goose StatementBegin
create function theeye_make_partition(parent text, year integer, month integer) returns void
language plpgsql security definer set timezone = 'UTC' set datestyle = 'ISO' as $$
declare
    bounded text := case parent when 'event' then 'timestamp' when 'rejection' then 'received_at' end;
    name    text := parent || to_char(year, '"_p"FM0000') || to_char(month, '"_"FM00');
    begins  timestamptz := make_timestamp(year, month, 1, 0, 0, 0) at time zone 'UTC';
    ends    timestamptz := (make_timestamp(year, month, 1, 0, 0, 0) + interval '1 month') at time zone 'UTC';
begin
    if bounded is null then
        raise exception 'theeye: there are no partitions of %', parent using errcode = 'invalid_parameter_value';
    end if;
    -- Serialises those who make partitions, over all replicas, until the transaction ends.
    perform pg_advisory_xact_lock(hashtext('theeye partitions'));
    if exists (select from pg_inherits i join pg_class c on c.oid = i.inhrelid
            where i.inhparent = to_regclass(parent) and c.relname = name) then
        return;
    end if;
    -- ATTACH lets writers of other partitions go on, where CREATE TABLE ... PARTITION
    -- OF would wait for every one of them. The check spares it its scan.
    execute format('create table %1$I (like %2$I including defaults including constraints, constraint %3$I check (%4$I >= %5$L and %4$I < %6$L))',
        name, parent, name || '_range_check', bounded, begins, ends);
    execute format('alter table %I attach partition %I for values from (%L) to (%L)', parent, name, begins, ends);
    execute format('alter table %I drop constraint %I', name, name || '_range_check');
end $$;
-- +goose StatementEnd
comment on function theeye_make_partition(text, integer, integer) is 'Makes the partition of a month, unless it is there.';

-- +goose StatementBegin
create function theeye_detach_partition(parent text, partition text) returns void
language plpgsql security definer set lock_timeout = '200ms' as $$
declare
    pending boolean;
begin
    select i.inhdetachpending into pending from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where parent in ('event', 'rejection') and i.inhparent = to_regclass(parent) and c.relname = partition
        and partition ~ ('^' || parent || '_p[0-9]{4}_[0-9]{2}$');
    if not found then
        raise exception 'theeye: % is no partition of a month of %', partition, parent using errcode = 'undefined_table';
    end if;
    if to_date(right(partition, 7), 'YYYY_MM') + interval '1 month' > now() at time zone 'UTC' - interval '1 day' then
        raise exception 'theeye: % is too young to be let go', partition using errcode = 'invalid_parameter_value';
    end if;
    -- CONCURRENTLY is not to be had in a function. Who waits for this, waits as long
    -- as the lock timeout.
    execute format('alter table %I detach partition %I', parent, partition) || case when pending then ' finalize' else '' end;
end $$;
-- +goose StatementEnd
comment on function theeye_detach_partition(text, text) is 'Detaches the partition of a month that has passed, or fails after 200 ms of waiting.';

-- +goose StatementBegin
create function theeye_set_aside(parent text) returns setof text
language plpgsql security definer as $$
declare
    found record;
begin
    if parent not in ('event', 'rejection') then
        raise exception 'theeye: there are no partitions of %', parent using errcode = 'invalid_parameter_value';
    end if;
    -- One replica at a time: a name that was listed may stand for a new partition as
    -- soon as another has set the old one aside.
    perform pg_advisory_xact_lock(hashtext('theeye purge'));
    for found in
        select c.relname as name, parent || '_expired_' || c.oid as aside
        from pg_class c join pg_class p on p.oid = to_regclass(parent) and p.relnamespace = c.relnamespace
        where c.relkind = 'r' and not c.relispartition
            and (c.relname ~ ('^' || parent || '_p[0-9]{4}_[0-9]{2}$') or c.relname = parent || '_expired_' || c.oid)
    loop
        if found.name <> found.aside then
            execute format('alter table %I rename to %I', found.name, found.aside);
        end if;
        return next found.aside;
    end loop;
end $$;
-- +goose StatementEnd
comment on function theeye_set_aside(text) is 'Renames the tables that were partitions, so that their names are free, and returns the new names.';

-- +goose StatementBegin
create function theeye_drop_expired(name text) returns void
language plpgsql security definer as $$
begin
    if exists (select from pg_class c where c.oid = to_regclass(quote_ident(name)) and c.relkind = 'r' and not c.relispartition
            and c.relname in ('event_expired_' || c.oid, 'rejection_expired_' || c.oid)) then
        execute format('drop table if exists %I', name);
    end if;
end $$;
-- +goose StatementEnd
comment on function theeye_drop_expired(text) is 'Drops a table that was set aside, if it is still there.';

-- +goose StatementBegin
create function theeye_expire_audit(before timestamptz, at_most integer) returns bigint
language plpgsql security definer as $$
declare
    gone bigint;
begin
    -- Walks audit_entry_pkey from its beginning and locks what it deletes.
    delete from audit_entry a where (a."at", a.audit_entry_id) in (
        select e."at", e.audit_entry_id from audit_entry e
        where e."at" < least(before, now() - interval '1 day') order by e."at", e.audit_entry_id limit at_most);
    get diagnostics gone = row_count;
    return gone;
end $$;
-- +goose StatementEnd
comment on function theeye_expire_audit(timestamptz, integer) is 'Deletes some of the oldest audit entries, none of the last day: the service itself may only add to them.';

-- They look for nothing outside of this schema, whoever calls them.
-- +goose StatementBegin
do $$
declare
    name text;
begin
    foreach name in array array['theeye_make_partition(text, integer, integer)', 'theeye_detach_partition(text, text)',
        'theeye_set_aside(text)', 'theeye_drop_expired(text)', 'theeye_expire_audit(timestamptz, integer)']
    loop
        execute format('alter function %s set search_path = %I, pg_temp', name, current_schema());
        execute format('revoke all on function %s from public', name);
    end loop;
end $$;
-- +goose StatementEnd

-- +goose Down
set local lock_timeout = '1s';
drop function theeye_make_partition(text, integer, integer), theeye_detach_partition(text, text), theeye_set_aside(text),
    theeye_drop_expired(text), theeye_expire_audit(timestamptz, integer);
