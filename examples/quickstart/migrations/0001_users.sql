create table users (
    id bigint generated always as identity primary key,
    email text not null unique,
    plan text not null default 'free' check (plan in ('free', 'pro')),
    created_at timestamptz not null default now(),
    welcomed_at timestamptz
);
