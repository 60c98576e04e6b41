-- +goose Up

-- Findings of false evidence (弄虚作假) about an item, with those that were lifted.
ALTER TABLE projects ADD COLUMN findings TEXT;
