-- Job IDs grow with time (UUID version 7, made by whoever pushes), so the primary key lists jobs newest first.
DROP INDEX flux.jobs_newest;

-- For whom a job was pushed: {"id", "role", claims}. Its execution acts for the same user.
ALTER TABLE flux.jobs ADD COLUMN caller json;
