-- Job IDs grow with time (UUID version 7, made by whoever pushes), so the primary key lists jobs newest first.
DROP INDEX flux.jobs_newest;
