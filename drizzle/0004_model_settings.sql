CREATE TABLE `model_aliases` (
	`alias` text PRIMARY KEY NOT NULL,
	`model_id` text NOT NULL,
	FOREIGN KEY (`model_id`) REFERENCES `model_settings`(`model_id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE TABLE `model_settings` (
	`model_id` text PRIMARY KEY NOT NULL,
	`context_length` integer,
	`extend_context` integer DEFAULT false NOT NULL,
	`slots` integer,
	`gpu_layers` integer,
	`idle_stop_s` integer,
	`preload` integer DEFAULT false NOT NULL,
	`pinned` integer DEFAULT false NOT NULL
);
