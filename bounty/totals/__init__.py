"""Totals of open periods by promoter and day: a projection of orders and links, recomputed where they change."""
