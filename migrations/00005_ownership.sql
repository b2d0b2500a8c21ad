-- Whose a table is. Retention notes which partitions it takes off, by their number and
-- not by their name, before it begins to; whatever else is detached, restored or named
-- like a partition is left alone. And the functions that work as the owner look into
-- pg_catalog and the tables of this schema alone, each named in full: in a schema in which
-- others may create, as public is up to Postgres 14, a function of theirs whose arguments
-- fit better would be run in the place of the one that was meant.
-- Locks: none but on the functions. Duration: milliseconds, and for each partition that an
-- earlier release had set aside the time in which its newest row is found.

-- +goose Up
set local lock_timeout = '1s';

create table expired_partition (
    table_oid      oid         not null,
    table_name     text        not null,
    parent_table   text        not null,
    ends_at        timestamptz not null,
    expired_before timestamptz not null,
    database_id    text        not null,
    marked_at      timestamptz not null default clock_timestamp(),
    constraint expired_partition_pkey primary key (table_oid),
    constraint expired_partition_parent_table_check check (parent_table in ('event', 'rejection')),
    constraint expired_partition_ends_at_check check (ends_at <= expired_before)
);
comment on table expired_partition is 'Partitions that retention found expired, noted before they are detached: no other table is ever dropped.';
comment on column expired_partition.expired_before is 'The time that retention kept nothing before, when it was noted.';
comment on column expired_partition.database_id is 'See theeye_database_id: in a restored dump the numbers of tables are others.';

-- From here on nothing is looked for but in pg_catalog.
select pg_catalog.set_config('theeye.path', pg_catalog.current_setting('search_path'), true),
    pg_catalog.set_config('theeye.schema', pg_catalog.quote_ident(pg_catalog.current_schema()::pg_catalog.text), true),
    pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);

-- +goose StatementBegin
do $migration$
declare
    schema   text := current_setting('theeye.schema');
    function text;
begin
    foreach function in array array[

-- PLACE stands for the name of the schema, LITERAL for the same as a string.
$function$
create function PLACE.theeye_database_id() returns text
language sql stable set search_path = pg_catalog, pg_temp as $$
    select system_identifier || '/' || d.oid from pg_control_system(), pg_database d where d.datname = current_database()
$$
$function$, $function$
comment on function PLACE.theeye_database_id() is 'Tells this database from all others, copies of it included.'
$function$,

$function$
create function PLACE.theeye_mark_expired(parent text, partition text, before timestamptz) returns boolean
language plpgsql strict security definer set search_path = pg_catalog, pg_temp set timezone = 'UTC' set datestyle = 'ISO' as $$
declare
    root    regclass := to_regclass(LITERAL || '.' || quote_ident(parent));
    found   record;
    begins  timestamptz;
    ends    timestamptz;
begin
    if parent not in ('event', 'rejection') or partition !~ ('^' || parent || '_p[0-9]{4}_[0-9]{2}$') then
        raise exception 'theeye: % is no partition of a month of %', partition, parent using errcode = 'undefined_table';
    end if;
    -- Whoever detaches it right now ends first, or waits for the mark.
    execute format('lock table only %s.%I in access share mode', LITERAL, partition);
    select c.oid, i.inhdetachpending as pending, pg_get_expr(c.relpartbound, c.oid) as bounds into found
    from pg_inherits i join pg_class c on c.oid = i.inhrelid join pg_class p on p.oid = i.inhparent and p.relnamespace = c.relnamespace
    where i.inhparent = root and c.relname = partition and c.relkind = 'r';
    begins := substring(found.bounds from 'FROM \(''([^'']+)''\)');
    ends := substring(found.bounds from 'TO \(''([^'']+)''\)');
    -- One of that name whose bounds are others was attached by hand.
    if found.oid is null or partition <> parent || to_char(begins, '"_p"YYYY_MM') or ends <> begins + interval '1 month' then
        raise exception 'theeye: % is no partition of a month of %', partition, parent using errcode = 'undefined_table';
    end if;
    if ends > least(before, now() - interval '1 day') then
        raise exception 'theeye: % is too young to be let go', partition using errcode = 'invalid_parameter_value';
    end if;
    if found.pending then
        return exists (select from PLACE.expired_partition m
            where m.table_oid = found.oid and m.table_name = partition and m.database_id = PLACE.theeye_database_id());
    end if;
    insert into PLACE.expired_partition (table_oid, table_name, parent_table, ends_at, expired_before, database_id)
    values (found.oid, partition, parent, ends, before, PLACE.theeye_database_id())
    on conflict (table_oid) do update set table_name = excluded.table_name, parent_table = excluded.parent_table, ends_at = excluded.ends_at,
        expired_before = excluded.expired_before, database_id = excluded.database_id, marked_at = excluded.marked_at;
    return true;
end $$
$function$, $function$
comment on function PLACE.theeye_mark_expired(text, text, timestamptz) is 'Notes that an attached partition ended before a time. False tells that somebody else is detaching it.'
$function$,

$function$
create function PLACE.theeye_detach_partition(parent text, partition text, before timestamptz) returns void
language plpgsql strict security definer set search_path = pg_catalog, pg_temp set lock_timeout = '200ms' as $$
declare
    pending boolean;
begin
    if not PLACE.theeye_mark_expired(parent, partition, before) then
        raise exception 'theeye: % is half detached, and not by retention: end that with `alter table % detach partition % finalize`; no partition can be detached before',
            partition, parent, partition using errcode = 'object_in_use';
    end if;
    select i.inhdetachpending into pending from pg_inherits i
    where i.inhrelid = to_regclass(LITERAL || '.' || quote_ident(partition));
    -- CONCURRENTLY is not to be had in a function. Who waits for this, waits as long
    -- as the lock timeout.
    execute format('alter table %1$s.%2$I detach partition %1$s.%3$I', LITERAL, parent, partition) || case when pending then ' finalize' else '' end;
end $$
$function$, $function$
comment on function PLACE.theeye_detach_partition(text, text, timestamptz) is 'Marks and detaches a partition that ended before a time, or fails after 200 ms of waiting.'
$function$,

$function$
create function PLACE.theeye_set_aside(parent text, before timestamptz) returns setof text
language plpgsql strict security definer set search_path = pg_catalog, pg_temp as $$
declare
    found record;
begin
    if parent not in ('event', 'rejection') then
        raise exception 'theeye: there are no partitions of %', parent using errcode = 'invalid_parameter_value';
    end if;
    -- One replica at a time: a name that was listed may stand for a new partition as
    -- soon as another has set the old one aside.
    perform pg_advisory_xact_lock(hashtext('theeye purge'));
    -- A mark ends with its table, in a copy of the database, when the table was given
    -- another name, and when it is attached and no longer expired.
    delete from PLACE.expired_partition m
    where m.database_id <> PLACE.theeye_database_id()
        or not exists (select from pg_class c where c.oid = m.table_oid and c.relname in (m.table_name, m.parent_table || '_expired_' || c.oid))
        or m.parent_table = parent and m.ends_at > before
            and exists (select from pg_inherits i where i.inhrelid = m.table_oid and not i.inhdetachpending);
    for found in
        select c.oid, c.relname as name, parent || '_expired_' || c.oid as aside
        from PLACE.expired_partition m join pg_class c on c.oid = m.table_oid
            join pg_class p on p.oid = to_regclass(LITERAL || '.' || quote_ident(parent)) and p.relnamespace = c.relnamespace
        where m.parent_table = parent and m.ends_at <= least(before, now() - interval '1 day')
            and c.relkind = 'r' and not c.relispartition
        order by c.oid
    loop
        if found.name <> found.aside then
            execute format('alter table %s.%I rename to %I', LITERAL, found.name, found.aside);
            if to_regclass(LITERAL || '.' || quote_ident(found.aside)) <> found.oid then
                raise exception 'theeye: % became another table', found.name using errcode = 'object_not_in_prerequisite_state';
            end if;
        end if;
        return next found.aside;
    end loop;
end $$
$function$, $function$
comment on function PLACE.theeye_set_aside(text, timestamptz) is 'Renames the marked tables that were detached and ended before a time, so that their names are free, and returns the new names.'
$function$,

$function$
create function PLACE.theeye_drop_expired(name text, before timestamptz) returns boolean
language plpgsql strict security definer set search_path = pg_catalog, pg_temp as $$
declare
    gone oid;
begin
    perform pg_advisory_xact_lock(hashtext('theeye purge'));
    select c.oid into gone
    from PLACE.expired_partition m join pg_class c on c.oid = m.table_oid
    where c.oid = to_regclass(LITERAL || '.' || quote_ident(name)) and c.relname = m.parent_table || '_expired_' || c.oid
        and m.ends_at <= least(before, now() - interval '1 day') and m.database_id = PLACE.theeye_database_id()
        and c.relkind = 'r' and not c.relispartition;
    if gone is null then
        return false;
    end if;
    execute format('drop table %s.%I', LITERAL, name);
    delete from PLACE.expired_partition m where m.table_oid = gone;
    return true;
end $$
$function$, $function$
comment on function PLACE.theeye_drop_expired(text, timestamptz) is 'Drops a marked table that was set aside and ended before a time, if it is still there.'
$function$,

-- The rest is there already, and keeps who may call it. The release before this one
-- calls those that take no time.
$function$
create or replace function PLACE.theeye_make_partition(parent text, year integer, month integer) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp set timezone = 'UTC' set datestyle = 'ISO' as $$
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
            where i.inhparent = to_regclass(LITERAL || '.' || quote_ident(parent)) and c.relname = name) then
        return;
    end if;
    -- ATTACH lets writers of other partitions go on, where CREATE TABLE ... PARTITION
    -- OF would wait for every one of them. The check spares it its scan.
    execute format('create table %1$s.%2$I (like %1$s.%3$I including defaults including constraints, constraint %4$I check (%5$I >= %6$L and %5$I < %7$L))',
        LITERAL, name, parent, name || '_range_check', bounded, begins, ends);
    execute format('alter table %1$s.%2$I attach partition %1$s.%3$I for values from (%4$L) to (%5$L)', LITERAL, parent, name, begins, ends);
    execute format('alter table %s.%I drop constraint %I', LITERAL, name, name || '_range_check');
end $$
$function$,

$function$
create or replace function PLACE.theeye_detach_partition(parent text, partition text) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp set lock_timeout = '200ms' as $$
begin
    perform PLACE.theeye_detach_partition(parent, partition, now() - interval '1 day');
end $$
$function$,

$function$
create or replace function PLACE.theeye_set_aside(parent text) returns setof text
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    return query select PLACE.theeye_set_aside(parent, now());
end $$
$function$,

$function$
create or replace function PLACE.theeye_drop_expired(name text) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    perform PLACE.theeye_drop_expired(name, now());
end $$
$function$,

$function$
create or replace function PLACE.theeye_expire_audit(before timestamptz, at_most integer) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    gone bigint;
begin
    -- Walks audit_entry_pkey from its beginning and locks what it deletes.
    delete from PLACE.audit_entry a where (a."at", a.audit_entry_id) in (
        select e."at", e.audit_entry_id from PLACE.audit_entry e
        where e."at" < least(before, now() - interval '1 day') order by e."at", e.audit_entry_id limit at_most);
    get diagnostics gone = row_count;
    return gone;
end $$
$function$]

    loop
        execute replace(replace(function, 'PLACE', schema), 'LITERAL', quote_literal(schema));
    end loop;
end $migration$;
-- +goose StatementEnd

-- Whoever may call the functions that are there may call their successors; nobody else
-- may, and nothing but they writes marks.
-- +goose StatementBegin
do $$
declare
    schema text := current_setting('theeye.schema');
    made   text;
    other  regrole;
begin
    foreach made in array array['theeye_mark_expired(text, text, timestamptz)', 'theeye_detach_partition(text, text, timestamptz)',
        'theeye_set_aside(text, timestamptz)', 'theeye_drop_expired(text, timestamptz)']
    loop
        execute format('revoke all on function %s.%s from public', schema, made);
        for other in
            select a.grantee::regrole from pg_proc p, aclexplode(p.proacl) a
            where p.oid = to_regprocedure(schema || '.theeye_set_aside(text)') and a.grantee not in (0, p.proowner) and a.privilege_type = 'EXECUTE'
        loop
            execute format('grant execute on function %s.%s to %s', schema, made, other);
        end loop;
    end loop;
    execute format('revoke all on %s.expired_partition from public', schema);
    for other in
        select distinct a.grantee::regrole from pg_class c, aclexplode(c.relacl) a
        where c.oid = to_regclass(schema || '.expired_partition') and a.grantee not in (0, c.relowner)
    loop
        execute format('revoke all on %s.expired_partition from %s', schema, other);
        execute format('grant select on %s.expired_partition to %s', schema, other);
    end loop;
end $$;
-- +goose StatementEnd

-- What an earlier release had set aside, and not yet dropped, goes on. Its month is that
-- of its newest row; without one it was emptied.
-- +goose StatementBegin
do $$
declare
    schema text := current_setting('theeye.schema');
    expiry record;
begin
    for expiry in
        select c.oid, c.relname as name, p.relname as parent, case p.relname when 'event' then 'timestamp' else 'received_at' end as bounded
        from pg_class p join pg_class c on c.relnamespace = p.relnamespace and c.relname = p.relname || '_expired_' || c.oid
        where p.oid in (to_regclass(schema || '.event'), to_regclass(schema || '.rejection'))
            and c.relkind = 'r' and not c.relispartition and c.relowner = p.relowner
    loop
        execute format($mark$
            insert into %1$s.expired_partition (table_oid, table_name, parent_table, ends_at, expired_before, database_id)
            select %2$s, %3$L, %4$L, ends, greatest(ends, now()), %1$s.theeye_database_id()
            from (select coalesce(date_trunc('month', max(%5$I) at time zone 'UTC') + interval '1 month', '-infinity') at time zone 'UTC' as ends from %1$s.%3$I) newest
            $mark$, schema, expiry.oid, expiry.name, expiry.parent, expiry.bounded);
    end loop;
end $$;
-- +goose StatementEnd

select pg_catalog.set_config('search_path', pg_catalog.current_setting('theeye.path'), true);

-- +goose Down
set local lock_timeout = '1s';
drop function theeye_mark_expired(text, text, timestamptz), theeye_detach_partition(text, text, timestamptz),
    theeye_set_aside(text, timestamptz), theeye_drop_expired(text, timestamptz), theeye_database_id();
drop table expired_partition;

-- Those of 00004 that used the marks are again what they were.
-- +goose StatementBegin
create or replace function theeye_detach_partition(parent text, partition text) returns void
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

-- +goose StatementBegin
create or replace function theeye_set_aside(parent text) returns setof text
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

-- +goose StatementBegin
create or replace function theeye_drop_expired(name text) returns void
language plpgsql security definer as $$
begin
    if exists (select from pg_class c where c.oid = to_regclass(quote_ident(name)) and c.relkind = 'r' and not c.relispartition
            and c.relname in ('event_expired_' || c.oid, 'rejection_expired_' || c.oid)) then
        execute format('drop table if exists %I', name);
    end if;
end $$;
-- +goose StatementEnd

-- +goose StatementBegin
do $$
declare
    name text;
begin
    foreach name in array array['theeye_detach_partition(text, text)', 'theeye_set_aside(text)', 'theeye_drop_expired(text)'] loop
        execute format('alter function %s set search_path = %I, pg_temp', name, current_schema());
    end loop;
end $$;
-- +goose StatementEnd
