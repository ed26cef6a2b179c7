print('imported graphlib')
