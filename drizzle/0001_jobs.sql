CREATE TABLE `job_events` (
	`job_id` text NOT NULL,
	`seq` integer NOT NULL,
	`event` text NOT NULL,
	PRIMARY KEY(`job_id`, `seq`),
	FOREIGN KEY (`job_id`) REFERENCES `jobs`(`job_id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE TABLE `jobs` (
	`job_id` text PRIMARY KEY NOT NULL,
	`operation` text NOT NULL,
	`subject` text NOT NULL,
	`state` text NOT NULL,
	`started_by` text,
	`created_at` integer NOT NULL,
	`finished_at` integer,
	`error` text,
	`result` text,
	`input` text NOT NULL
);
--> statement-breakpoint
CREATE INDEX `jobs_by_time` ON `jobs` (`created_at`);--> statement-breakpoint
CREATE INDEX `jobs_by_state` ON `jobs` (`state`);