-- Alerts of high-grade bets. Run it in Supabase's SQL editor, or with `supabase db push`; again after an update, as it
-- adds what an earlier release's table lacks. For another schema than public, set it first (SUPABASE_SCHEMA):
--   create schema if not exists betting; set search_path to betting;
-- and name that schema among the exposed ones (Project settings > API).
begin;

-- A table of this name that is somebody else's is left alone, and nothing is done.
do $$
declare
  own constant text[] := array['alert_id text', 'grade text', 'bet jsonb', 'prediction jsonb', 'environment text',
    'deployment text', 'model_version text', 'created_at timestamp with time zone',
    'notified_at timestamp with time zone'];
  found text[];
begin
  if to_regclass(format('%I.ml_alerts', current_schema())) is null then
    return;
  end if;
  select array_agg(format('%s %s', attname, format_type(atttypid, atttypmod))) into found
  from pg_attribute
  where attrelid = to_regclass(format('%I.ml_alerts', current_schema())) and attnum > 0 and not attisdropped;
  if not own <@ found then
    raise exception 'the table %.ml_alerts is not one of Pikkit ML API: it lacks %', current_schema(),
      array_to_string(array(select unnest(own) except select unnest(found)), ', ')
      using hint = 'Rename that table, or use another schema (SUPABASE_SCHEMA).';
  end if;
  if not exists (
    select from pg_index i
    join pg_attribute a on a.attrelid = i.indrelid and a.attnum = any (i.indkey)
    where i.indrelid = to_regclass(format('%I.ml_alerts', current_schema()))
      and i.indisprimary and i.indnkeyatts = 1 and a.attname = 'alert_id'
  ) then
    raise exception 'the table %.ml_alerts is not one of Pikkit ML API: alert_id is not its primary key',
      current_schema() using hint = 'Rename that table, or use another schema (SUPABASE_SCHEMA).';
  end if;
end $$;

create table if not exists ml_alerts (
  alert_id      text primary key,             -- idempotency key: the same alert is one row, however often it is sent
  grade         text not null check (grade in ('A', 'B')),
  bet           jsonb not null,
  prediction    jsonb not null,
  environment   text not null,
  deployment    text not null,
  model_version text not null,
  created_at    timestamptz not null,
  notified_at   timestamptz                   -- set once somebody has been shown it
);
alter table ml_alerts
  add column if not exists kind             text not null default 'high_grade_bet',  -- or digest
  add column if not exists identity         text,            -- the bet, at whatever price
  add column if not exists step             integer not null default 0,  -- how often it has improved
  add column if not exists event            text,
  add column if not exists selection        text,
  add column if not exists line             double precision,
  add column if not exists starts_at        timestamptz,
  add column if not exists market           text,
  add column if not exists institution_name text,
  add column if not exists odds             double precision,  -- American
  add column if not exists play_to          double precision,  -- American: the worst price that is worth it
  add column if not exists url              text,
  add column if not exists message          text,              -- as Telegram shows it
  add column if not exists claimed_by       text,              -- the host that is about to show it …
  add column if not exists lease_until      timestamptz;       -- … and until when it is its alone
create index if not exists ml_alerts_created_at on ml_alerts (created_at desc, alert_id);
create index if not exists ml_alerts_identity on ml_alerts (identity, created_at);

-- Nobody but the service role: it bypasses row-level security, and no policy lets anybody else in.
alter table ml_alerts enable row level security;
revoke all on ml_alerts from public;
do $$
begin
  if exists (select from pg_roles where rolname = 'anon') then
    revoke all on ml_alerts from anon, authenticated;
    grant select, insert, update on ml_alerts to service_role;
    execute format('grant usage on schema %I to service_role', current_schema());
  end if;
end $$;

commit;
notify pgrst, 'reload schema';
