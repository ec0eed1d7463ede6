CREATE TABLE `parking_keys` (
	`user_id` text PRIMARY KEY NOT NULL,
	`sealed_key` blob NOT NULL,
	FOREIGN KEY (`user_id`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE cascade
);
