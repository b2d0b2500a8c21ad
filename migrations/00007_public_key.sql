-- Public keys: they stand in pages and may only collect events, from the allowed origins of
-- their application. An earlier release rejects them, because their text begins otherwise.
-- Locks: api_key against all others, while its rows are checked. Duration: milliseconds.

-- +goose Up
set local lock_timeout = '1s';
alter table api_key
    add column public boolean not null default false,
    add column any_origin boolean not null default false,
    add column registered_only boolean not null default false,
    add column rate_limit integer,
    drop constraint api_key_scopes_check,
    add constraint api_key_scopes_check check (scopes <@ array['ingest', 'read', 'admin'] and (cardinality(scopes) > 0) <> public),
    add constraint api_key_public_check check (case when public then rate_limit > 0 and rate_limit is not null and not organisation_wide
        else rate_limit is null and not any_origin and not registered_only end);
comment on column api_key.public is 'The key stands in pages and may only collect events.';
comment on column api_key.any_origin is 'A public key that needs no allowed origin, for native apps.';
comment on column api_key.registered_only is 'Only events of registered types are taken.';
comment on column api_key.rate_limit is 'In events a second from one address; null for keys that are not public.';

-- +goose Down
set local lock_timeout = '1s';
delete from api_key where public;
alter table api_key
    drop constraint api_key_public_check,
    drop constraint api_key_scopes_check,
    drop column public,
    drop column any_origin,
    drop column registered_only,
    drop column rate_limit,
    add constraint api_key_scopes_check check (scopes <@ array['ingest', 'read', 'admin'] and cardinality(scopes) > 0);
