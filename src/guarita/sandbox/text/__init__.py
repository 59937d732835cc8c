"""Pure functions over the texts of a PIX bank: ids, keys, documents, BR Codes, amounts, times."""
