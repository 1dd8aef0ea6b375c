-- Alerts of high-grade bets. Run once in Supabase's SQL editor, or with `supabase db push`.
create table if not exists public.ml_alerts (
  alert_id      text primary key,             -- idempotency key: the same alert is one row, however often it is sent
  grade         text not null check (grade in ('A', 'B')),
  bet           jsonb not null,
  prediction    jsonb not null,
  environment   text not null,
  deployment    text not null,
  model_version text not null,
  created_at    timestamptz not null,
  notified_at   timestamptz                   -- set by the n8n workflow once Telegram has shown it
);
create index if not exists ml_alerts_created_at on public.ml_alerts (created_at desc);

-- Nobody but the service role: it bypasses row-level security, and no policy lets anybody else in.
alter table public.ml_alerts enable row level security;
revoke all on public.ml_alerts from public;
do $$
begin
  if exists (select from pg_roles where rolname = 'anon') then
    revoke all on public.ml_alerts from anon, authenticated;
    grant select, insert, update on public.ml_alerts to service_role;
  end if;
end $$;
