"""`doctor`: whether Foretide can work in this cluster; each finding with the way out."""
