print('imported tomllib')
