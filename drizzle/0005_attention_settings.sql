ALTER TABLE `model_settings` ADD `flash_attention` integer;--> statement-breakpoint
ALTER TABLE `model_settings` ADD `kv_type` text;