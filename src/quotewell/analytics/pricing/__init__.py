"""Engines that price options, behind `analytics.options`."""
