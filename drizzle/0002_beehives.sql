CREATE TABLE `beehives` (
	`name` text PRIMARY KEY NOT NULL,
	`target` text NOT NULL,
	`hive_port` integer NOT NULL,
	`auto_start` integer NOT NULL,
	`install_method` text NOT NULL,
	`hive_id` text,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `beehives_target_unique` ON `beehives` (`target`);