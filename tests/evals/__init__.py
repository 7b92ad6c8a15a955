"""How well exams are graded: marks against a teacher's, misconceptions found, tone; by model and without one."""
